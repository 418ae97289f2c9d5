"""The beginning of a call as models usually write it: `{"name": "f", "arguments": {`."""

import json
import re
from dataclasses import dataclass
from typing import Literal

_LONGEST_NAME = 256
"""Characters of a string that can still be a function's name."""

_SPACE = re.compile(r"\s*")


@dataclass(frozen=True)
class Head:
    """A beginning that is complete."""

    name: str
    end: int
    """Where the object of arguments begins."""


def read_head(text: str, start: int, arguments: tuple[str, ...]) -> Head | Literal["more", "other"]:
    """Read the beginning of a call.

    Args:
        text: What there is so far.
        start: Where the call's object begins.
        arguments: The keys under which the arguments may be.

    Returns:
        The beginning, `more` if it is one so far but not complete, or `other` if the object begins otherwise.
    """
    position = start
    strings: list[str] = []
    for expected in ("{", "string", ":", "string", ",", "string", ":"):
        position = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # matches the empty text too
        if position == len(text):
            return "more"
        if expected == "string":
            end = _string_end(text, position)
            if not isinstance(end, int):
                return end
            try:
                strings.append(json.loads(text[position:end]))
            except ValueError:
                return "other"
            if (strings[0] != "name") or (len(strings) == 3 and strings[2] not in arguments):
                return "other"
            position = end
        elif text[position] != expected:
            return "other"
        else:
            position += 1
    position = _SPACE.match(text, position).end()  # type: ignore[union-attr]
    if position == len(text):
        return "more"
    return Head(strings[1], position) if text[position] == "{" else "other"


def _string_end(text: str, start: int) -> int | Literal["more", "other"]:
    """Return the position behind a string."""
    if text[start] != '"':
        return "other"
    position = start + 1
    while position < len(text):
        if position - start > _LONGEST_NAME:
            return "other"
        if text[position] == '"':
            return position + 1
        position += 2 if text[position] == "\\" else 1
    return "more"
