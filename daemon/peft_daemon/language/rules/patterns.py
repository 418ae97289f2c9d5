"""Regular expressions that a user wrote, matched with names without letting any of them run away.

Python's engine backtracks: a short expression with nested repeats can take years on one name. Such an expression is
not tried; then it is not known what it matches.
"""

import re
from functools import cache

_MAX_LENGTH = 300
_MAX_OPEN_REPEATS = 4
"""Repeats without an upper end in one expression: time grows with the name's length to this power."""

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()*+?|]|\{\d*,?\d*\}|.", re.DOTALL)


def fault_of(pattern: str) -> str | None:
    """Return what is wrong with a regular expression, None when nothing is."""
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error.msg)
    except (RecursionError, OverflowError):
        return "it is too large"
    return None


@cache
def matches_any(pattern: str, names: tuple[str, ...]) -> bool | None:
    """Tell whether an expression matches the whole of any name, None when it is faulty or could take too long."""
    if fault_of(pattern) is not None or not _is_tame(pattern):
        return None
    compiled = re.compile(pattern)
    return any(compiled.fullmatch(name) for name in names)


def _is_tame(pattern: str) -> bool:
    """Tell whether an expression has few open repeats and none within another repeat."""
    if len(pattern) > _MAX_LENGTH:
        return False
    repeats_within = [0]
    total = 0
    closed = 0
    for match in _TOKEN.finditer(pattern):
        piece = match.group()
        if piece == "(":
            repeats_within.append(0)
        elif piece == ")" and len(repeats_within) > 1:
            closed = repeats_within.pop()
            repeats_within[-1] += closed
            continue
        elif piece in ("*", "+") or (piece.startswith("{") and piece.endswith("}")):
            if closed:
                return False
            repeats_within[-1] += 1
            total += 1
        closed = 0
    return total <= _MAX_OPEN_REPEATS
