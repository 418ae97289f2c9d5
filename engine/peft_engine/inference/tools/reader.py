"""From what a model writes to text and calls, while it is still writing.

What comes out does not depend on how the text was cut into pieces. A call counts as one as soon as its name, which must
be declared, and the beginning of its arguments are there; whatever only looks like a call is text.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from peft_engine.inference.tools.extent import JsonExtent
from peft_engine.inference.tools.head import Head, read_head
from peft_engine.inference.tools.syntax import CallSyntax

_ARGUMENTS = ("arguments", "parameters")
"""Both are understood of every family: models confuse them."""


@dataclass(frozen=True)
class Said:
    """Text for people."""

    text: str


@dataclass(frozen=True)
class CallBegun:
    """A call of a function; its arguments follow."""

    index: int
    """Counts the calls of the answer from 0."""

    name: str


@dataclass(frozen=True)
class CallArguments:
    """More of the JSON text of a call's arguments."""

    index: int
    text: str


Part = Said | CallBegun | CallArguments


class CallReader:
    """Reads one answer."""

    def __init__(self, syntax: CallSyntax, names: Iterable[str], *, most: int | None = None) -> None:
        """Begin before the first piece.

        Args:
            syntax: How the model writes calls.
            names: The functions that were declared.
            most: How many calls are taken; what comes after them is ignored. None for all.
        """
        self._syntax = syntax
        self._names = frozenset(names)
        self._most = most
        self._state: Callable[[], bool] = self._start if syntax.bare else self._text
        self._rest = ""
        """What is not decided yet."""
        self._mark = 0
        """How much of the rest stands before the call that may begin there."""
        self._white = ""
        """White space that is not said yet: before a call it is dropped."""
        self._silent = False
        """Whether nothing was said since the last call."""
        self._calls = 0
        self._in_array = False
        self._extent = JsonExtent()
        self._fed = 0
        """How much of the rest `_extent` has seen."""
        self._parts: list[Part] = []

    def feed(self, text: str) -> list[Part]:
        """Take in a piece and return what became certain."""
        self._rest += text
        while self._state():
            pass
        return self._take()

    def end(self) -> list[Part]:
        """Say that the answer is complete and return the rest of it."""
        while self._state in (self._start, self._block, self._object, self._whole_object):
            if self._calls:
                # Another call was cut off before it was known to be one. It is of use to nobody.
                self._rest = ""
            self._give_up()
            while self._state():
                pass
        if self._state == self._text:
            self._say(self._rest)
            if self._white and not self._calls:
                self._parts.append(Said(self._white))
        self._rest = ""
        return self._take()

    def _take(self) -> list[Part]:
        parts, self._parts = self._parts, []
        return parts

    # Each state looks at the rest and tells whether it came to another state; if not, it waits for more text.

    def _start(self) -> bool:
        """Before the first letter, where a call may stand without its mark."""
        rest = self._rest.lstrip()
        if not rest or (self._syntax.open.startswith(rest) and rest != self._syntax.open):
            return False
        self._mark = len(self._rest) - len(rest)
        marked = rest.startswith(self._syntax.open)
        self._state = self._block if rest[0] in "{[" and not marked else self._text
        return True

    def _text(self) -> bool:
        """Between calls."""
        found = self._rest.find(self._syntax.open)
        if found >= 0:
            self._say(self._rest[:found])
            self._rest = self._rest[found:]
            self._mark = len(self._syntax.open)
            self._state = self._block
            return True
        keep = _overlap(self._rest, self._syntax.open)
        self._say(self._rest[: len(self._rest) - keep])
        self._rest = self._rest[len(self._rest) - keep :]
        return False

    def _block(self) -> bool:
        """Behind the mark: an object or an array of such must follow."""
        body = self._skip_white(self._mark)
        if body == len(self._rest):
            return False
        if self._rest[body] == "[" and not self._in_array:
            self._in_array = True
            self._mark = body + 1
            return True
        if self._rest[body] == "{":
            self._mark = body
            self._state = self._object
        else:
            self._give_up()
        return True

    def _object(self) -> bool:
        """At the bracket of a call."""
        head = read_head(self._rest, self._mark, _ARGUMENTS)
        if head == "more":
            return False
        if isinstance(head, Head):
            if head.name not in self._names:
                self._give_up()
                return True
            self._begin_call(head.name)
            self._rest = self._rest[head.end :]
            self._state = self._arguments
        else:
            self._fed = self._mark
            self._state = self._whole_object
        self._extent = JsonExtent()
        return True

    def _whole_object(self) -> bool:
        """In a call that does not begin as usual, which can only be understood as a whole."""
        end = self._extent.feed(self._rest, self._fed)
        self._fed = len(self._rest)
        if end is None:
            return False
        call = _understand(self._rest[self._mark : end])
        if call is None or call[0] not in self._names:
            self._give_up()
            return True
        self._begin_call(call[0])
        self._argue(call[1])
        self._rest = self._rest[end:]
        self._state = self._after
        return True

    def _arguments(self) -> bool:
        """In the arguments of a call."""
        end = self._extent.feed(self._rest)
        self._argue(self._rest[:end])
        self._rest = "" if end is None else self._rest[end:]
        if end is None:
            return False
        self._extent = JsonExtent(depth=1)
        self._state = self._tail
        return True

    def _tail(self) -> bool:
        """Between the arguments and the end of the call's object."""
        end = self._extent.feed(self._rest)
        self._rest = "" if end is None else self._rest[end:]
        if end is not None:
            self._state = self._after
        return end is not None

    def _after(self) -> bool:
        """Behind a call: another one, the mark of the end, or text."""
        self._rest = self._rest.lstrip()
        if not self._rest:
            return False
        first, close = self._rest[0], self._syntax.close
        self._mark = 0
        if self._in_array and first in ",]":
            self._in_array = first == ","
            self._rest = self._rest[1:]
            if self._in_array:
                self._state = self._next
            return True
        if close and self._rest.startswith(close):
            self._rest = self._rest[len(close) :]
            self._state = self._text
            return True
        if close.startswith(self._rest):
            return False
        if self._syntax.bare and first in "{;,":
            self._rest = self._rest.removeprefix(first) if first != "{" else self._rest
            self._state = self._next
            return True
        self._in_array = False
        self._state = self._text
        return True

    def _next(self) -> bool:
        """Where another call of the same block must begin."""
        self._rest = self._rest.lstrip()
        if not self._rest:
            return False
        self._mark = 0
        if self._rest[0] == "{":
            self._state = self._object
        else:
            self._give_up()
        return True

    def _give_up(self) -> None:
        """Take what looked like a call for text."""
        if self._rest.startswith(self._syntax.open):
            self._say(self._syntax.open)
            self._rest = self._rest[len(self._syntax.open) :]
        self._in_array = False
        self._state = self._text

    def _begin_call(self, name: str) -> None:
        self._white = ""
        self._silent = True
        self._calls += 1
        if self._most is None or self._calls <= self._most:
            self._parts.append(CallBegun(self._calls - 1, name))

    def _argue(self, text: str) -> None:
        if text and (self._most is None or self._calls <= self._most):
            self._parts.append(CallArguments(self._calls - 1, text))

    def _say(self, text: str) -> None:
        if self._most is not None and self._calls >= self._most:
            return
        text = self._white + text
        if self._silent:
            text = text.lstrip()
        said = text.rstrip()
        self._white = text[len(said) :]
        if said:
            self._silent = False
            self._parts.append(Said(said))

    def _skip_white(self, start: int) -> int:
        return len(self._rest) - len(self._rest[start:].lstrip())


def _overlap(text: str, mark: str) -> int:
    """Return how many letters at the end of a text may begin a mark."""
    for length in range(min(len(mark) - 1, len(text)), 0, -1):
        if mark.startswith(text[-length:]):
            return length
    return 0


def _understand(text: str) -> tuple[str, str] | None:
    """Return name and arguments of a call; None if it is none."""
    try:
        call = json.loads(text)
    except (ValueError, RecursionError):
        return None
    name = call.get("name")
    arguments: Any = next((call[key] for key in _ARGUMENTS if key in call), {})
    if isinstance(arguments, str):
        arguments = _object(arguments)
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return name, json.dumps(arguments, ensure_ascii=False)


def _object(text: str) -> Any:
    """Return the object that a model wrote as a string, as some do; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
