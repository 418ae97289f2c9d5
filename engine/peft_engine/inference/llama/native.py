"""llama.cpp's library, loaded once; what it complains about is kept for error messages."""

import logging
from collections import deque

import llama_cpp as lib

__all__ = ["complaint", "forget_complaints", "lib"]

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


def forget_complaints() -> None:
    """Begin an operation whose complaints matter."""
    _complaints.clear()


def complaint() -> str:
    """Return the first thing that went wrong since `forget_complaints`: later ones only follow from it."""
    return _complaints[0] if _complaints else "llama.cpp gave no reason"
