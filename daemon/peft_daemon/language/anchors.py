"""The anchors of a document, each with the aliases that stand for it."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from peft_engine.config.document import Document
from peft_engine.config.nodes import Alias, Mapping, Node, Sequence

_ANCHOR = re.compile(r"(?<![^\s,\[\]{}])&(?P<name>[^\s,\[\]{}]+)")


@dataclass(frozen=True)
class Anchor:
    """A name for a value, and where else it is used."""

    name: str
    start: int
    """The offset of its `&`."""

    end: int
    aliases: tuple[Alias, ...]

    def covers(self, offset: int) -> bool:
        """Tell whether an offset touches the anchor or one of its aliases."""
        return any(start <= offset <= end for start, end in self.places())

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield where the anchor and then its aliases stand, marks included."""
        yield self.start, self.end
        yield from ((alias.start, alias.end) for alias in self.aliases)


def anchors(document: Document) -> list[Anchor]:
    """Return the anchors of a document in the order of its text, those that nothing refers to included."""
    text = document.source.text
    if "&" not in text:
        return []
    values, aliases = _leaves(document)
    found = []
    begin = 0
    # Whatever is neither a value nor a comment is YAML's own marks, among them the anchors.
    for start, end in [*sorted([*values, *document.comments]), (len(text), len(text))]:
        found += list(_ANCHOR.finditer(text, begin, max(start, begin)))
        begin = max(begin, end)
    owned: dict[int, list[Alias]] = {match.start(): [] for match in found}
    for alias in aliases:
        # An alias means the nearest anchor of its name before it.
        known = [match.start() for match in found if match["name"] == alias.name]
        index = bisect_right(known, alias.start)
        if index and alias.target is not None:
            owned[known[index - 1]].append(alias)
    return [Anchor(match["name"], match.start(), match.end(), tuple(owned[match.start()])) for match in found]


def anchor_at(document: Document, offset: int) -> Anchor | None:
    """Return the anchor that an offset touches, by itself or by an alias."""
    return next((anchor for anchor in anchors(document) if anchor.covers(offset)), None)


def _leaves(document: Document) -> tuple[list[tuple[int, int]], list[Alias]]:
    """Return where values stand that are no collections, and the aliases among them."""
    spans: list[tuple[int, int]] = []
    aliases: list[Alias] = []
    pending: list[Node] = [] if document.root is None else [document.root]
    while pending:
        node = pending.pop()
        if isinstance(node, Mapping):
            pending += [child for entry in node.entries for child in (entry.key, entry.value)]
        elif isinstance(node, Sequence):
            pending += node.items
        else:
            spans.append((node.start, node.end))
            if isinstance(node, Alias):
                aliases.append(node)
    return [(start, end) for start, end in spans if end > start], sorted(aliases, key=lambda alias: alias.start)
