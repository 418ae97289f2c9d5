"""What llama.cpp frees is the machine's again."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, sys
import psutil

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def block(size):
    at = libc.malloc(size)
    ctypes.memset(at, 1, size)
    return at

if "with" in sys.argv:
    import peft_engine.inference.llama
libc.free(block(24 << 20))
before = psutil.Process().memory_info().rss
large = []
for _ in range(8):
    large.append(block(8 << 20))
    # One that stays, so that a heap cannot shrink.
    block(100_000)
for one in large:
    libc.free(one)
print((psutil.Process().memory_info().rss - before) >> 20)
"""


def kept(*arguments: str) -> int:
    """Return the megabytes that a process still holds of 64 that it has freed."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other habits")
def test_large_blocks_are_given_back_at_once() -> None:
    assert kept("with") < 4
    assert kept() > 32, "the C library does so by itself: the setting can go"
