"""A config file as an immutable snapshot: nodes with exact places, and everything wrong with the text itself."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

from peft_engine.config.nodes import (
    Alias,
    Entry,
    LaidItems,
    Mapping,
    Node,
    Scalar,
    Sequence,
    effective_entries,
    shifted_entry,
    target,
)
from peft_engine.config.parts import Known, Part, Placed, edited, split
from peft_engine.config.problems import Problem
from peft_engine.config.reading import Reading
from peft_engine.config.text import SourceText
from peft_schemas.findings import Range

MAX_LENGTH = 300_000
"""Characters of the longest file that is read. The longest sensible config has a hundredth of that."""

Path = tuple[str | int, ...]
"""Keys and list indices from the root: `("datasets", 0, "path")`."""


@dataclass(frozen=True)
class Place:
    """Where a value stands: its key, when it has one, and itself."""

    key: Node | None
    value: Node
    via: Alias | None
    """The alias through which it was reached, the nearest to the root."""


@dataclass(frozen=True, eq=False)
class Document:
    """A parsed text. It never changes, so it can be shared between threads and kept beside later versions."""

    source: SourceText
    parts: tuple[Placed, ...]
    """The text, part by part."""

    @cached_property
    def root(self) -> Node | None:
        """The tree of all parts together; None for an empty text, and for one that had to be refused."""
        if len(self.parts) == 1 and self.parts[0].part.list_key is None:
            return self.parts[0].part.reading.root
        entries: list[Entry] = []
        for key, placed in groupby(self.parts, key=lambda placed: placed.part.list_key):
            if key is None:
                for one in placed:
                    entries += _entries(one)
            else:
                entries[-1:] = [_with_list(entries[-1:], key, list(placed))]
        return Mapping(entries[0].start, entries[-1].end, tuple(entries), flow=False) if entries else None

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the text itself, in its order."""
        return tuple(
            replace(problem, start=problem.start + placed.start, end=problem.end + placed.start)
            for placed in self.parts
            for problem in placed.part.reading.problems
        )

    @cached_property
    def comments(self) -> tuple[tuple[int, int], ...]:
        """Where the comments stand."""
        return tuple(
            (start + placed.start, end + placed.start)
            for placed in self.parts
            for start, end in placed.part.reading.comments
        )

    @property
    def is_sound(self) -> bool:
        """Whether the whole text could be read, so that what is not there was not written."""
        return not self.problems

    @cached_property
    def known_parts(self) -> Known:
        """The parts by what they hold, for the next version."""
        if not self.is_split:
            return {}
        return {(placed.part.source.text, placed.part.list_key): placed.part for placed in self.parts}

    @cached_property
    def sections(self) -> dict[Part, int]:
        """The parts outside long lists, each with the offset of its first character."""
        return {placed.part: placed.start for placed in self.parts if placed.part.list_key is None}

    @cached_property
    def is_split(self) -> bool:
        """Whether the parts can be judged each on its own."""
        return len(self.parts) > 1

    def to_plain(self) -> Any:
        """Return the values as plain Python objects, which must not be changed: versions share them."""
        if not self.is_split:
            only = self.parts[0].part
            return only.plain if only.list_key is None else {only.list_key: only.plain}
        values: dict[str, Any] = {}
        fresh: set[str] = set()
        for placed in self.parts:
            part = placed.part
            if part.plain is None:
                continue
            if part.list_key is None:
                # Of a repeated key the first counts.
                fresh = part.plain.keys() - values.keys()
                values.update((key, value) for key, value in part.plain.items() if key in fresh)
            elif part.list_key in fresh:
                values[part.list_key] = values[part.list_key] or []
                values[part.list_key] += part.plain
        return values or None

    @cached_property
    def alone(self) -> "tuple[tuple[Document, Placed], ...]":
        """Each part as a document of its own, with its place. The entry of a list stands under its key there, too."""
        return tuple((alone(placed.part), placed) for placed in self.parts)

    def range(self, node: Node) -> Range:
        """Return where a node stands."""
        return self.source.range(node.start, node.end)

    def find(self, path: Path) -> Place | None:
        """Return where the value at a path stands, None when there is none."""
        place = None if self.root is None else Place(None, self.root, None)
        for part in path:
            place = None if place is None else _step(place, part)
        return place


def _entries(placed: Placed) -> tuple[Entry, ...]:
    """Return the top-level entries of a part at its place, those of the last version where it still stands there."""
    known: tuple[int, tuple[Entry, ...]] | None = placed.part.memo.get("entries")
    if known is None or known[0] != placed.start:
        own = placed.part.entries
        entries = () if own is None else tuple(shifted_entry(entry, placed.start) for entry in own.entries)
        known = placed.part.memo["entries"] = placed.start, entries
    return known[1]


def alone(part: Part) -> Document:
    """Return a part as a document of its own.

    The part does not keep it: the two would hold each other, and what an edit leaves behind would lie there until the
    cycle collector looks at everything.
    """
    return Document(part.source, (Placed(part, 0, 0),))


def _with_list(head: list[Entry], key: str, placed: list[Placed]) -> Entry:
    """Return the entry of a list whose entries are parts. In the document of one such part its key has no width."""
    start, end = placed[0].start + placed[0].part.dash, placed[-1].start + placed[-1].node.end
    sequence = Sequence(start, end, LaidItems(placed), flow=False)
    if not head:
        return Entry(Scalar(0, 0, key, key, "plain"), sequence, start, end, key)
    return Entry(head[0].key, sequence, head[0].start, end, key)


def parse(source: SourceText, before: Document | None = None) -> Document:
    """Parse a text of any content in bounded time. Faults become problems; nothing is raised.

    Args:
        source: The text.
        before: An earlier version, whose unchanged parts are not read again. It changes nothing but the time.
    """
    if len(source) > MAX_LENGTH:
        message = f"This file has more than {MAX_LENGTH:,} characters, the most that a config may have."
        refusal = Problem("limit", message, 0, source.line_end(0))
        return Document(source, (Placed(Part(source, Reading(None, (refusal,), ())), 0, 0),))
    if before is None or not before.is_split:
        return Document(source, split(source, {}))
    return Document(source, edited(source, before.parts, len(before.problems)) or split(source, before.known_parts))


def _step(place: Place, part: str | int) -> Place | None:
    via = place.via or (place.value if isinstance(place.value, Alias) else None)
    node = target(place.value)
    if isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
        return Place(None, node.items[part], via)
    if isinstance(node, Mapping):
        for effective in effective_entries(node):
            if effective.entry.name == part:
                return Place(effective.entry.key, effective.entry.value, via or effective.via)
    return None
