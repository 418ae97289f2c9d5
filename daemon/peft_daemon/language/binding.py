"""A document matched with the language: which of its keys are known, what they may hold, and what is absent.

The match is made once; the rules, hover and completion read it.
"""

from collections.abc import Iterator
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from peft_engine.config.document import Document, Path
from peft_engine.config.nodes import (
    Alias,
    EffectiveEntry,
    Entry,
    LaidItems,
    Mapping,
    Node,
    Scalar,
    Sequence,
    effective_entries,
    target,
)
from peft_engine.config.schema import Key, Section, language


class BoundKey(NamedTuple):
    """A written key that the language knows."""

    path: Path
    key: Key
    entry: Entry
    via: Alias | None
    """The alias through which it came here; its value then stands elsewhere."""


@dataclass(frozen=True)
class StrayKey:
    """A written key that its section does not have."""

    path: Path
    section: Section
    mapping: Mapping
    entry: Entry
    via: Alias | None


@dataclass(frozen=True)
class AbsentKey:
    """A required key that is not written."""

    path: Path
    key: Key
    mapping: Mapping | None
    """The section that lacks it; None when it is the root of an empty document."""

    holder: BoundKey | None
    """The key whose value lacks it; None for the root."""


@dataclass(frozen=True)
class RepeatedKey:
    """A key that its mapping has already."""

    path: Path
    first: Entry
    again: Entry


@dataclass(frozen=True)
class Misshapen:
    """A value that is not the mapping or list that the language has there."""

    path: Path
    node: Node
    wanted: Key | None
    """None for the root."""

    via: Alias | None


@dataclass(frozen=True)
class _Later:
    """The entries of a list, matched when they are asked for: in a long list that is seldom all of them."""

    section: Section
    sequence: Sequence
    holder: BoundKey

    def bind(self, index: int) -> "Binding":
        """Return one entry, matched."""
        binding = Binding()
        _bind_item(binding, self.section, self.sequence.items[index], index, self.holder, None)
        return binding


@dataclass
class Binding:
    """Everything that the match found, each list in the order of the text."""

    stray: list[StrayKey] = field(default_factory=list)
    absent: list[AbsentKey] = field(default_factory=list)
    repeated: list[RepeatedKey] = field(default_factory=list)
    misshapen: list[Misshapen] = field(default_factory=list)
    found: list[BoundKey | _Later] = field(default_factory=list)
    by_entry: dict[int, tuple[Entry, "Binding"]] = field(default_factory=dict)
    """What was found below each top-level entry, by the identity of the entry; for the next version."""

    def add(self, other: "Binding") -> None:
        """Take what was found in a part that comes next in the text."""
        self.stray += other.stray
        self.absent += other.absent
        self.repeated += other.repeated
        self.misshapen += other.misshapen
        self.found += other.found

    @property
    def is_faulty(self) -> bool:
        """Whether keys are unknown, absent, repeated or misshapen."""
        return bool(self.stray or self.absent or self.repeated or self.misshapen)

    @cached_property
    def faulty_paths(self) -> tuple[list[Path], list[Path], list[Path]]:
        """Where unknown keys stand, where required ones do not, and where values are misshapen."""
        return (
            [stray.path for stray in self.stray],
            [absent.path for absent in self.absent],
            [misshapen.path for misshapen in self.misshapen],
        )

    @cached_property
    def known(self) -> list[BoundKey]:
        """The known keys. To have them all takes time in a long file; a rule asks for those that it judges."""
        known: list[BoundKey] = []
        for found in self.found:
            if isinstance(found, BoundKey):
                known.append(found)
            else:
                for index in range(len(found.sequence.items)):
                    known += found.bind(index).known
        return known

    def values(self) -> Iterator[BoundKey]:
        """Yield the known keys that hold a value rather than a section."""
        return (bound for bound in self.known if bound.key.section is None)

    def at(self, path: Path) -> BoundKey | None:
        """Return the known key at a path, None when it is not written."""
        own = self._by_path.get(path)
        if own is not None or len(path) < 3 or not isinstance(path[1], int):
            return own
        later = self._later.get(path[0])
        if later is None or not 0 <= path[1] < len(later.sequence.items):
            return None
        return later.bind(path[1]).at(path)

    @cached_property
    def _by_path(self) -> dict[Path, BoundKey]:
        return {bound.path: bound for bound in reversed(self.found) if isinstance(bound, BoundKey)}

    @cached_property
    def _later(self) -> dict[str | int, _Later]:
        return {found.holder.path[0]: found for found in self.found if isinstance(found, _Later)}


def bind(document: Document, before: Binding | None = None) -> Binding:
    """Match a document with the language.

    Args:
        document: The document.
        before: The match of an earlier version, whose unchanged top-level entries are not matched again. It changes
            nothing but the time.
    """
    binding = Binding()
    root = target(document.root)
    if isinstance(root, Mapping):
        _bind_root(binding, language(), root, {} if before is None else before.by_entry)
    elif root is None or _is_null(root):
        for key in language().keys.values():
            if key.required:
                binding.absent.append(AbsentKey((key.name,), key, None, None))
    else:
        binding.misshapen.append(Misshapen((), root, None, None))
    return binding


def _bind_root(binding: Binding, section: Section, mapping: Mapping, known: Lookup[int, tuple[Entry, Binding]]) -> None:
    """Match the top-level entries, of which most are the same as in the last version."""
    seen: dict[str, Entry] = {}
    for effective in effective_entries(mapping):
        entry = effective.entry
        if entry.name in seen:
            binding.repeated.append(RepeatedKey((entry.name,), seen[entry.name], entry))
            continue
        seen[entry.name] = entry
        _, own = known.get(id(entry), (None, None))
        if own is None:
            own = Binding()
            _bind_entry(own, section, mapping, (entry.name,), effective)
        if entry.name in section.keys:  # what is said of any other key refers to the whole mapping
            binding.by_entry[id(entry)] = entry, own
        binding.add(own)
    _bind_absent(binding, section, mapping, (), None, seen)


def _bind_section(
    binding: Binding, section: Section, mapping: Mapping, path: Path, via: Alias | None, holder: BoundKey | None
) -> None:
    seen: dict[str, Entry] = {}
    for effective in effective_entries(mapping):
        entry = effective.entry
        below = (*path, entry.name)
        if entry.name in seen:
            binding.repeated.append(RepeatedKey(below, seen[entry.name], entry))
            continue
        seen[entry.name] = entry
        _bind_entry(binding, section, mapping, below, effective, via)
    _bind_absent(binding, section, mapping, path, holder, seen)


def _bind_entry(
    binding: Binding,
    section: Section,
    mapping: Mapping,
    path: Path,
    effective: EffectiveEntry,
    via: Alias | None = None,
) -> None:
    entry, here = effective.entry, via or effective.via
    key = section.keys.get(entry.name)
    if key is None:
        binding.stray.append(StrayKey(path, section, mapping, entry, here))
        return
    bound = BoundKey(path, key, entry, here)
    binding.found.append(bound)
    if key.section is not None:
        _bind_below(binding, bound, key.section)


def _bind_absent(
    binding: Binding,
    section: Section,
    mapping: Mapping,
    path: Path,
    holder: BoundKey | None,
    seen: Lookup[str, Entry],
) -> None:
    for key in section.keys.values():
        if key.required and key.name not in seen:
            binding.absent.append(AbsentKey((*path, key.name), key, mapping, holder))


def _bind_below(binding: Binding, bound: BoundKey, section: Section) -> None:
    """Match the value of a key that holds a section or a list of sections."""
    value = bound.entry.value
    via = bound.via or (value if isinstance(value, Alias) else None)
    node = target(value)
    if node is None:  # an undefined alias, which has its own finding
        return
    if not bound.key.is_list:
        if isinstance(node, Mapping):
            _bind_section(binding, section, node, bound.path, via, bound)
        else:
            binding.misshapen.append(Misshapen(bound.path, value, bound.key, via))
        return
    if not isinstance(node, Sequence):
        binding.misshapen.append(Misshapen(bound.path, value, bound.key, via))
        return
    if isinstance(node.items, LaidItems):
        later = _Later(section, node, bound)
        binding.found.append(later)
        for index in node.items.having(bound.key.name, lambda item: _is_faulty(section, item, bound)):
            own = later.bind(index)
            binding.stray += own.stray
            binding.absent += own.absent
            binding.repeated += own.repeated
            binding.misshapen += own.misshapen
        return
    for index, item in enumerate(node.items):
        _bind_item(binding, section, item, index, bound, via)


def _bind_item(binding: Binding, section: Section, item: Node, index: int, holder: BoundKey, via: Alias | None) -> None:
    here = via or (item if isinstance(item, Alias) else None)
    inner = target(item)
    path = (*holder.path, index)
    if isinstance(inner, Mapping):
        _bind_section(binding, section, inner, path, here, holder)
    elif inner is not None:
        binding.misshapen.append(Misshapen(path, item, holder.key, here))


def _is_faulty(section: Section, item: Node, holder: BoundKey) -> bool:
    """Tell whether an entry of a list has keys that are unknown, absent, repeated or misshapen."""
    own = Binding()
    _bind_item(own, section, item, 0, holder, None)
    return own.is_faulty


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None
