"""Giving freed memory back to the machine, where the C library would keep it.

glibc takes large blocks from the kernel one by one and gives them back when they are freed, but each time it does so it
raises the size from which it does, up to 32 MB. llama.cpp makes and frees buffers of some megabytes whenever it plans
for other adapters; from then on they come from heaps, between small blocks that stay, and the heaps grow for an hour.
"""

import ctypes

_LARGE = 2**20
"""Bytes from which a block is the kernel's, for good."""

_M_MMAP_THRESHOLD = -3
"""glibc's number for it (`malloc.h`)."""


def give_back_large_blocks() -> bool:
    """Fix the size from which blocks are the kernel's; False where the C library has no such setting."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE))
    except (AttributeError, OSError, TypeError):
        # macOS and musl have none, and on Windows there is no library of that name.
        return False
