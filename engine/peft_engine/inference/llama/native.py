"""llama.cpp's library, loaded once; what it complains about is kept for error messages."""

import ctypes
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import llama_cpp as lib

from peft_engine.inference.llama.allocator import give_back_large_blocks

__all__ = ["complaint", "forget_complaints", "lib", "unheard"]

_log = logging.getLogger(__name__)
_WARNING, _ERROR, _CONTINUED = 3, 4, 5
_complaints: deque[str] = deque(maxlen=4)


def _on_log(level: int, text: bytes, _: object) -> None:
    if level not in (_WARNING, _ERROR):
        return
    line = text.decode("utf-8", errors="replace").strip()
    if not line:
        return
    _log.log(logging.ERROR if level == _ERROR else logging.DEBUG, "%s", line)
    if level == _ERROR:
        _complaints.append(line)


_callback = lib.llama_log_callback(_on_log)
"""Kept, because the library holds no reference to it."""

lib.llama_log_set(_callback, None)
lib.llama_backend_init()
give_back_large_blocks()


_deaf = ctypes.cast(lib.llama_supports_mmap, lib.llama_log_callback)
"""A native function without effects, whatever it is given."""


@contextmanager
def unheard() -> Iterator[None]:
    """Do something of which the library has hundreds of things to tell that nobody wants to know.

    Each of them takes the interpreter's lock, which other threads may hold, before it can be ignored in Python.
    """
    lib.llama_log_set(_deaf, None)
    try:
        yield
    finally:
        lib.llama_log_set(_callback, None)


def forget_complaints() -> None:
    """Begin an operation whose complaints matter."""
    _complaints.clear()


def complaint() -> str:
    """Return the first thing that went wrong since `forget_complaints`: later ones only follow from it."""
    return _complaints[0] if _complaints else "llama.cpp gave no reason"
