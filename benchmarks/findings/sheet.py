"""A config's text with the place of every key and value, found with PyYAML: a reader that is not the one under test."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

Path = tuple[str | int, ...]
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\r\n]*", re.MULTILINE)


class CannotPlantError(Exception):
    """A fault has no legal place in this text."""


@dataclass
class Spot:
    """A value and, below a mapping, its key."""

    kind: str
    """`scalar`, `alias`, `block` or `flow`, the last two for mappings and lists."""

    start: int
    end: int
    value: str = ""
    key: tuple[int, int] | None = None
    children: dict[str | int, "Spot"] = field(default_factory=dict)
    is_list: bool = False

    @property
    def last(self) -> int:
        """Where the last character of the value stands; PyYAML ends a block after the blank lines below it."""
        return (
            max((child.last for child in self.children.values()), default=self.end)
            if self.kind == "block"
            else self.end
        )


@dataclass(frozen=True)
class Sheet:
    """A text whose values are known by their paths."""

    text: str

    @cached_property
    def root(self) -> Spot:
        """The outermost mapping.

        Raises:
            CannotPlantError: The text is not YAML, or its root is no mapping.
        """
        try:
            root = _Composer(self.text).compose()
        except (yaml.YAMLError, StopIteration) as error:
            raise CannotPlantError(str(error)) from error
        if root.is_list or root.kind not in ("block", "flow"):
            raise CannotPlantError("the root is no mapping")
        return root

    def find(self, path: Path) -> Spot | None:
        """Return the value that is written at a path."""
        spot = self.root
        for part in path:
            if part not in spot.children:
                return None
            spot = spot.children[part]
        return spot

    def at(self, path: Path) -> Spot:
        """Return the value at a path.

        Raises:
            CannotPlantError: There is none.
        """
        spot = self.find(path)
        if spot is None:
            raise CannotPlantError(f"there is no {path}")
        return spot

    def walk(self) -> Iterator[tuple[Path, Spot]]:
        """Yield every value below the root with its path."""
        yield from _walk(self.root, ())

    def leaves(self) -> list[tuple[Path, str]]:
        """Return every scalar with its path, list positions left out."""
        return [
            (tuple("*" if isinstance(part, int) else part for part in path), spot.value)
            for path, spot in self.walk()
            if not spot.children
        ]

    def position(self, offset: int) -> tuple[int, int]:
        """Return a place as LSP counts: the line, and the UTF-16 units before it on that line."""
        ends = [match.end() for match in _LINE_END.finditer(self.text, 0, offset)]
        # The two characters of a CRLF end one line, wherever the offset lies.
        before = self.text[ends[-1] if ends else 0 : offset]
        return len(ends), len(before.encode("utf-16-le", "surrogatepass")) // 2

    def span(self, start: int, end: int) -> tuple[int, int, int, int]:
        """Return a range as LSP counts."""
        return (*self.position(start), *self.position(end))


def comments(text: str) -> list[str]:
    """Return what looks like a comment; quoted text that does is the same before and after an edit elsewhere."""
    return [comment.rstrip() for comment in _COMMENT.findall(text)]


def _walk(spot: Spot, path: Path) -> Iterator[tuple[Path, Spot]]:
    for name, child in spot.children.items():
        yield (*path, name), child
        yield from _walk(child, (*path, name))


class _Composer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.SafeLoader))

    def compose(self) -> Spot:
        event = next(self._events)
        while not isinstance(event, yaml.NodeEvent):
            event = next(self._events)
        return self._node(event)

    def _node(self, event: Any) -> Spot:
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.AliasEvent):
            return Spot("alias", start, end, f"*{event.anchor}")
        if match := _PROPERTIES.match(self._text, start, end):
            start = match.end()
        if isinstance(event, yaml.ScalarEvent):
            return Spot("scalar", start, end, event.value)
        spot = Spot(
            "flow" if event.flow_style else "block", start, end, is_list=isinstance(event, yaml.SequenceStartEvent)
        )
        spot.end = self._items(spot) if spot.is_list else self._entries(spot)
        return spot

    def _items(self, spot: Spot) -> int:
        event: Any
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            spot.children[len(spot.children)] = self._node(event)
        return _end(event)

    def _entries(self, spot: Spot) -> int:
        event: Any
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event)
            value = self._node(next(self._events))
            value.key = (key.start, key.end)
            spot.children[key.value] = value
        return _end(event)


def _end(event: Any) -> int:
    return int(event.end_mark.index)
