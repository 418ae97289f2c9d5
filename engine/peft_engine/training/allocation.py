"""How this process gives memory back."""

import ctypes
import sys
from typing import Any

_M_MMAP_THRESHOLD = -3
"""The number of the option in glibc's malloc.h."""

_LARGE_BYTES = 2**22


def return_large_blocks() -> None:
    """Have glibc give each large block back to the system when it is freed.

    By itself it raises the size at which it does so up to 32 MiB, and a step of training leaves some hundred megabytes
    of holes between what is kept. Elsewhere than on Linux with glibc nothing happens.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def leave_mapped_file(model: Any) -> None:
    """Copy the frozen weights of a model out of the file that it was loaded from.

    They are views of the mapped file, whose every page that was read counts as this process's memory while there is
    one view left. It pays where most weights are kept in another form, packed or rounded. Packed ones are no views.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point() and not parameter.requires_grad:
            parameter.data = parameter.data.clone()
