"""How this process gives memory back."""

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
"""The number of the option in glibc's malloc.h."""

_LARGE_BYTES = 3 * 2**19


def return_large_blocks() -> None:
    """Have glibc give each large block back to the system when it is freed.

    By itself it raises the size at which it does so up to 32 MiB, and a step of training leaves some hundred megabytes
    of holes between what is kept. Elsewhere than on Linux with glibc nothing happens.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
