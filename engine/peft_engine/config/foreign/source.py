"""A foreign config as its own tool would read it, each value with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from peft_engine.config.document import Document
from peft_engine.config.foreign.tables import Table
from peft_engine.config.nodes import Entry, Mapping, Node, Scalar, Sequence, effective_entries, target
from peft_engine.config.scalars import plain_value

_OMEGACONF_FLOAT = re.compile(
    r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?(?:[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)"
    r"|\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_INTERPOLATION = re.compile(r"\$\{([\w.\[\]]+)\}")


@dataclass(frozen=True)
class Leaf:
    """One value that is no mapping: a scalar, a list of scalars, or nothing."""

    path: str
    """Where it stands: `datasets[0].type`."""

    key: Node | None
    """Its key; for an entry of a list that has none, the list's."""

    node: Node
    value: Any
    """What the tool takes it for."""

    doubt: str | None = None
    """Why the tool may read something else than what was meant, when it may."""

    @property
    def pattern(self) -> str:
        """The path with every index left open: `datasets[].type`."""
        return re.sub(r"\[\d+\]", "[]", self.path)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Repeat:
    """A key that stands in its mapping again, further down."""

    key: Node
    path: str


class Source:
    """All leaves of a document, in the order of the text."""

    def __init__(self, document: Document, table: Table) -> None:
        self.document = document
        self.repeats: list[Repeat] = []
        self._table = table
        self.leaves = {leaf.path: leaf for leaf in self._walk(document.root, "", None)}
        if table.loader == "OmegaConf":
            self.leaves = {path: self._interpolated(leaf) for path, leaf in self.leaves.items()}

    def below(self, path: str) -> list[Leaf]:
        """Return the leaves of a section, or of a list's entry."""
        return [leaf for leaf in self.leaves.values() if leaf.path.startswith((f"{path}.", f"{path}["))]

    def count(self, path: str) -> int:
        """Return the number of entries of a list of sections."""
        indices = [int(match[1]) for leaf in self.leaves if (match := re.match(re.escape(path) + r"\[(\d+)\]", leaf))]
        return max(indices, default=-1) + 1

    def span(self, path: str) -> tuple[int, int]:
        """Return where a section stands, from its key to its last value."""
        leaves = self.below(path)
        place = self.document.find(tuple(_parts(path)))
        start = leaves[0].node.start if place is None else (place.key or place.value).start
        return start, max(max(leaf.node.end, start) for leaf in leaves)

    def _walk(self, node: Node | None, path: str, key: Node | None) -> Iterator[Leaf]:
        found = target(node)
        if isinstance(found, Mapping) and found.entries:
            last: dict[str, Entry] = {}
            for effective in effective_entries(found):
                name = effective.entry.name
                if name in last and effective.via is None:
                    self.repeats.append(Repeat(last[name].key, f"{path}.{name}" if path else name))
                last[name] = effective.entry
            for name, entry in last.items():
                yield from self._walk(entry.value, f"{path}.{name}" if path else name, entry.key)
        elif isinstance(found, Sequence) and any(isinstance(target(item), Mapping) for item in found.items):
            for index, item in enumerate(found.items):
                yield from self._walk(item, f"{path}[{index}]", key)
        elif node is not None:
            yield self._leaf(path, key, node)

    def _leaf(self, path: str, key: Node | None, node: Node) -> Leaf:
        found = target(node)
        if isinstance(found, Sequence):
            return Leaf(path, key, node, [self._list_item(item) for item in found.items])
        if not isinstance(found, Scalar):
            return Leaf(path, key, node, {} if isinstance(found, Mapping) else None)
        value = self._reading(found)
        written = found.value
        doubt = None
        if isinstance(value, str) and _is_number(written):
            title, loader = self._table.title, self._table.loader
            result = "makes a number of it" if self._table.converts_text else "does not make a number of it"
            doubt = f"{loader} reads `{found.raw}` as text, and {title} {result}; the number is taken"
            value = written
        elif type(value) is not type(written) or value != written:
            doubt = f"{self._table.title} reads `{found.raw}` as {_described(value)}, so that is taken"
        return Leaf(path, key, node, value, doubt)

    def _list_item(self, item: Node) -> Any:
        found = target(item)
        if isinstance(found, Scalar):
            return self._reading(found)
        return [self._list_item(inner) for inner in found.items] if isinstance(found, Sequence) else None

    def _reading(self, scalar: Scalar) -> Any:
        """Return what the tool's loader makes of a scalar."""
        if scalar.style not in ("plain", "empty") or scalar.tag is not None or "\n" in scalar.raw:
            return scalar.value
        loader = _loader(self._table.loader)
        tag = loader.resolve(yaml.ScalarNode, scalar.raw, (True, False))
        if tag.rpartition(":")[2] not in ("null", "bool", "int", "float"):
            return scalar.raw
        try:
            return loader.construct_object(yaml.ScalarNode(tag, scalar.raw))
        except ValueError:  # such as `0b`, which looks like a number and is none
            return scalar.raw

    def _interpolated(self, leaf: Leaf) -> Leaf:
        """Put in what `${other.key}` stands for. What cannot be known here stays as it is written."""
        value = leaf.value
        for _ in range(8):
            if not isinstance(value, str):
                break
            whole = _INTERPOLATION.fullmatch(value)
            if whole is not None and whole[1] in self.leaves:
                value = self.leaves[whole[1]].value
            else:
                value = _INTERPOLATION.sub(
                    lambda match: str(self.leaves[match[1]].value) if match[1] in self.leaves else match[0], value
                )
        return Leaf(leaf.path, leaf.key, leaf.node, value, leaf.doubt)


def _parts(path: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _described(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value is None else f"the text `{value}`" if isinstance(value, str) else f"the number {value}"


def text_as_number(text: str) -> float | None:
    """Return the number that a quoted text spells, None when it spells none."""
    value = plain_value(text.strip())
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@cache
def _loader(name: str) -> Any:
    class Loader(yaml.SafeLoader):
        pass

    if name == "OmegaConf":
        Loader.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
            for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        Loader.add_implicit_resolver("tag:yaml.org,2002:float", _OMEGACONF_FLOAT, list("-+0123456789."))
    return Loader("")
