"""The tree of a document: immutable nodes with offsets into its text.

What an edit makes dozens of is a named tuple, which is made three times as fast as a frozen dataclass.
"""

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Entries
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from peft_engine.config.scalars import PlainValue, Style

MERGE_KEY = "<<"


class Scalar(NamedTuple):
    """A single value. One that is not written, as after `key:`, is `empty` and has no width."""

    start: int
    end: int
    value: PlainValue
    raw: str
    """As it stands in the text, quotes included."""

    style: Style
    tag: str | None = None
    """Its tag such as `!!str`, when it has one."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    start: int
    end: int
    items: "tuple[Node, ...] | LaidItems"
    flow: bool


class ReadApart(Protocol):
    """An entry of a list that was read on its own."""

    @property
    def node(self) -> "Node":
        """The entry as it was read."""

    @property
    def start(self) -> int:
        """How many characters further on it stands than where it was read."""

    @property
    def memo(self) -> dict[str, Any]:
        """What was worked out from the entry alone; it stays with it when other entries change."""


class LaidItems:
    """The entries of a list that were read apart from each other, each laid at its place when it is asked for."""

    def __init__(self, apart: Entries[ReadApart]) -> None:
        self._apart = apart
        self._laid: dict[int, Node] = {}

    def __len__(self) -> int:
        return len(self._apart)

    def __getitem__(self, index: int) -> "Node":
        found = self._laid.get(index)
        if found is None:
            entry = self._apart[index]
            found = self._laid[index] = shifted(entry.node, entry.start)
        return found

    def having(self, name: str, test: "Callable[[Node], bool]") -> list[int]:
        """Return which entries pass a test that looks at the entry alone, and is asked once under its name."""
        passed = []
        for index, entry in enumerate(self._apart):
            answer = entry.memo.get(name)
            if answer is None:
                answer = entry.memo[name] = test(entry.node)
            if answer:
                passed.append(index)
        return passed

    def __iter__(self) -> Iterator["Node"]:
        return (self[index] for index in range(len(self._apart)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple | LaidItems) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the text, duplicates and merge keys included."""

    start: int
    end: int
    entries: tuple["Entry", ...]
    flow: bool


@dataclass(frozen=True, slots=True)
class Alias:
    """A reference to an anchor. What it refers to stands before it, so that trees have no cycles."""

    start: int
    end: int
    name: str
    target: "Target | None"
    """None when no such anchor stands before it."""


Target = Scalar | Sequence | Mapping
Node = Scalar | Sequence | Mapping | Alias


class Entry(NamedTuple):
    """One key of a mapping and its value."""

    key: Node
    value: Node
    start: int
    end: int
    name: str
    """The key as text."""

    @property
    def merges(self) -> bool:
        """Whether the key is a merge key; in quotes it is a text like any other."""
        return self.name == MERGE_KEY and isinstance(self.key, Scalar) and self.key.style == "plain"


def key_name(node: Node) -> str:
    """Return a key as text."""
    key = target(node)
    if isinstance(key, Scalar):
        return key.value if isinstance(key.value, str) else key.raw
    return "?"


class EffectiveEntry(NamedTuple):
    """An entry that a mapping has, of its own or by a merge key."""

    entry: Entry
    via: Alias | None
    """The alias that brought it; None for one that stands in the mapping, or in one that is merged in place."""


def target(node: Node | None) -> Target | None:
    """Return what an alias stands for, and any other node itself."""
    return node.target if isinstance(node, Alias) else node


def effective_entries(mapping: Mapping) -> Iterator[EffectiveEntry]:
    """Yield own entries, duplicates included, then merged ones whose keys are not there yet."""
    names = set()
    merges = []
    for entry in mapping.entries:
        if entry.merges:
            merges.append(entry.value)
            continue
        names.add(entry.name)
        yield EffectiveEntry(entry, None)
    for value in merges:
        for source, via in merge_sources(value):
            merged = target(source)
            if not isinstance(merged, Mapping):
                continue
            # What is repeated in a mapping that an alias brings is found where that stands; one in place has only this.
            known = names if via is not None else frozenset(names)
            for inner in effective_entries(merged):
                if inner.entry.name not in known:
                    names.add(inner.entry.name)
                    yield EffectiveEntry(inner.entry, via or inner.via)


def merge_sources(value: Node) -> Iterator[tuple[Node, Alias | None]]:
    """Yield what a merge key takes keys from, each with the alias at the place of use that leads there.

    What stands in place, as in `<<: {r: 8}`, has none.
    """
    held = target(value)
    outer = value if isinstance(value, Alias) else None
    for source in held.items if isinstance(held, Sequence) else (value,):
        yield source, outer or (source if isinstance(source, Alias) else None)


def plain(node: Node | None) -> Any:
    """Return a node as plain Python values. Of duplicate keys the first counts; an undefined alias is None."""
    node = target(node)
    if isinstance(node, Mapping):
        values: dict[str, Any] = {}
        for effective in effective_entries(node):
            values.setdefault(effective.entry.name, plain(effective.entry.value))
        return values
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return None if node is None else node.value


def shifted(node: Node, by: int) -> Node:
    """Return a tree as it stands `by` characters further on.

    Raises:
        TypeError: There is an alias in it, which would no longer lead to the same anchor.
    """
    if isinstance(node, Scalar):
        return Scalar(node.start + by, node.end + by, node.value, node.raw, node.style, node.tag)
    if isinstance(node, Sequence):
        return Sequence(node.start + by, node.end + by, tuple(shifted(item, by) for item in node.items), node.flow)
    if isinstance(node, Mapping):
        entries = tuple(shifted_entry(entry, by) for entry in node.entries)
        return Mapping(node.start + by, node.end + by, entries, node.flow)
    raise TypeError(f"the alias *{node.name} cannot be moved")


def shifted_entry(entry: Entry, by: int) -> Entry:
    """Return an entry without aliases as it stands `by` characters further on."""
    return Entry(shifted(entry.key, by), shifted(entry.value, by), entry.start + by, entry.end + by, entry.name)
