"""A text as parts that are read each on its own: top-level entries, and the entries of long lists.

An edit changes one part, so all others keep what was read and found in them before: work is in proportion to the edit,
not to the file. Where parts would not mean the same alone, as an alias of an anchor elsewhere, the whole text is one.
"""

import re
from collections import Counter
from collections.abc import Mapping as Lookup
from collections.abc import Sequence as Row
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import accumulate, pairwise, starmap
from typing import Any, NamedTuple

from peft_engine.config.nodes import Mapping, Node, Scalar, Sequence, plain, shifted
from peft_engine.config.reading import Reading, is_valid, read
from peft_engine.config.text import SourceText

_MAX_PARTS = 3000
"""Parts beyond which a text is read as a whole: reading one costs something, however short it is."""

_MAX_BROKEN = 12
"""Parts with faults that are mended one by one."""

_LONG_LIST = 400
"""Characters from which the entries of a top-level list are parts of their own."""

_TOP = re.compile(r"\n(?=[^\s#-])")
"""The break before a line that begins an entry. It is looked for rather than `^`, because a search for one character
that must be there is five times as fast, and these patterns meet the whole text at every keystroke."""

_MARKERS = frozenset("%[{?|>.<\ufeff")
"""What stands first on a line that is no entry: directives, a root in flow style or of one text, merge conflicts."""

_NOT_APART = re.compile("\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]")
"""Lone returns, which end lines for YAML and not for others, and what is unreadable."""

_LIST_KEY = re.compile(
    r"(?P<key>[A-Za-z_][\w.-]*):[ \t]*(?:#[^\r\n]*)?\r?\n(?:[ \t]*(?:#[^\r\n]*)?\r?\n)*(?P<indent> *)-(?=\s)"
)
_COMMENT = re.compile(r"(^|\s)#[^\r\n]*")
_BEFORE = "_: 1\n"
"""What stands before a part that is mended, so that a lone word is an unfinished key and not a document of one text."""


@dataclass(frozen=True, eq=False)
class Part:
    """A stretch of whole lines that is read and judged on its own. It is shared by the versions of a document."""

    source: SourceText
    reading: Reading
    list_key: str | None = None
    """The top-level key whose list this is an entry of."""

    memo: dict[str, Any] = field(default_factory=dict, compare=False)
    """What others worked out from this part alone, so that the next version of the document has it already."""

    @cached_property
    def plain(self) -> Any:
        """Its values as plain Python objects: a mapping, the entries of its list, or None when there are none."""
        return plain(self.reading.root)

    @property
    def entries(self) -> Mapping | None:
        """The top-level entries in it."""
        root = self.reading.root
        return root if isinstance(root, Mapping) and self.list_key is None else None

    @property
    def item(self) -> Node:
        """The entry of a list that it is.

        Raises:
            TypeError: It is none.
        """
        root = self.reading.root
        if not isinstance(root, Sequence):
            raise TypeError("this part is no entry of a list")
        return root.items[0]

    @property
    def dash(self) -> int:
        """The offset at which its entry of a list begins."""
        return 0 if self.reading.root is None else self.reading.root.start


class Placed(NamedTuple):
    """A part in a document."""

    part: Part
    start: int
    """The offset of its first character."""

    line: int

    @property
    def node(self) -> Node:
        """The entry of a list that the part is, as it was read."""
        return self.part.item

    @property
    def memo(self) -> dict[str, Any]:
        """What was worked out from the part alone."""
        return self.part.memo


Piece = tuple[str, str | None]
"""The text of a part, and the top-level key whose list it is an entry of."""

Known = Lookup[Piece, Part]
"""Parts of an earlier version."""


def split(source: SourceText, known: Known) -> tuple[Placed, ...]:
    """Return a text as parts, one for all of it where it has none that could be read alone.

    Args:
        source: The text.
        known: Parts that need not be read again.
    """
    pieces = _pieces(source.text, known)
    parts = None if pieces is None else _read_parts(source.text, pieces, known)
    if parts is None:
        return (Placed(Part(source, read(source)), 0, 0),)
    starts = accumulate([len(part.source.text) for part in parts], initial=0)
    lines = accumulate([part.source.line_count - 1 for part in parts], initial=0)
    return tuple(starmap(Placed, zip(parts, starts, lines, strict=False)))


def edited(source: SourceText, before: Row[Placed], problems: int) -> tuple[Placed, ...] | None:
    """Return what `split` would, for a text that differs from an earlier one within one part, which stays one.

    That is nearly every keystroke, and dividing the whole text again takes longer than reading the part.

    Args:
        source: The text.
        before: The parts of the earlier text, which has several.
        problems: How many problems they have in all.

    Returns:
        None where more may differ.
    """
    text = source.text
    found = _only_difference(text, before)
    if found is None:
        return None
    index, end = found
    start, line, old = before[index].start, before[index].line, before[index].part
    piece = text[start:end]
    # What another part leaves open may be closed in this one.
    if problems > len(old.reading.problems):
        return None
    part = _read_part(piece, old.list_key) if _stays_one(piece, before, index) else None
    if part is None or part.reading.has_aliases:
        return None
    if part.reading.problems and _may_go_on(piece, text[end:]) and is_valid(text):
        return None
    by, lines = len(piece) - len(old.source.text), part.source.line_count - old.source.line_count
    behind = [Placed(placed.part, placed.start + by, placed.line + lines) for placed in before[index + 1 :]]
    parts = (*before[:index], Placed(part, start, line), *behind)
    return parts if any(placed.part.entries is not None for placed in parts) else None


def _only_difference(text: str, before: Row[Placed]) -> tuple[int, int] | None:
    """Return which part is the only one that differs, and where it ends now; None when there is no such part."""
    differing = (at for at, placed in enumerate(before) if not text.startswith(placed.part.source.text, placed.start))
    index = next(differing, None)
    if index is None:
        return None
    end = len(text)
    for placed in reversed(before[index + 1 :]):
        if not text.endswith(placed.part.source.text, before[index].start, end):
            return None
        end -= len(placed.part.source.text)
    return index, end


def _stays_one(piece: str, before: Row[Placed], index: int) -> bool:
    """Tell whether a text would be divided into the same parts with this piece in the place of one of them."""
    behind = before[index + 1] if index + 1 < len(before) else None
    if (behind is not None and not piece.endswith("\n")) or _NOT_APART.search(piece) or "\n---" in "\n" + piece:
        return False
    tops = [match.start() for match in _TOP.finditer("\n" + piece)]
    old = before[index].part
    if old.list_key is not None:
        indent = len(old.source.text) - len(old.source.text.lstrip(" "))
        entry, other = _lines_of_list(indent)
        dashes = [match.start() for match in entry.finditer("\n" + piece)]
        grown = len(piece) - len(old.source.text)
        return (
            not tops and dashes == [0] and not other.search(piece) and _list_length(before, index) + grown > _LONG_LIST
        )
    if (behind is not None and behind.part.list_key is not None) or len(tops) != 1:
        return False
    if piece[tops[0]] in _MARKERS or (index > 0 and tops[0] > 0):
        return False
    return len(piece) <= _LONG_LIST or not _list_entries(piece, 0, len(piece), {})


def _list_length(parts: Row[Placed], index: int) -> int:
    """Return the characters of the top-level list that a part is an entry of, its key included."""
    first = last = index
    while parts[first].part.list_key is not None:
        first -= 1
    while last + 1 < len(parts) and parts[last + 1].part.list_key is not None:
        last += 1
    return parts[last].start + len(parts[last].part.source.text) - parts[first].start


def _pieces(text: str, known: Known) -> list[Piece] | None:
    """Return the text of each part, None where there are not several."""
    tops = [match.start() for match in _TOP.finditer("\n" + text)]
    if not tops or len(tops) > _MAX_PARTS or not _MARKERS.isdisjoint(map(text.__getitem__, tops)):
        return None
    if text.startswith("---") or "\n---" in text:
        return None
    tops[0] = 0
    pieces: list[Piece] = []
    for start, end in pairwise([*tops, len(text)]):
        entries = _list_entries(text, start, end, known) if end - start > _LONG_LIST else []
        pieces.append((text[start : end - sum(len(entry) for entry, _ in entries)], None))
        pieces += entries
    if not 1 < len(pieces) <= _MAX_PARTS:
        return None
    return None if any(_NOT_APART.search(piece[0]) for piece in pieces if piece not in known) else pieces


def _list_entries(text: str, start: int, end: int, known: Known) -> list[Piece]:
    """Return the entries of a top-level block list; none when it is no such list."""
    head = _LIST_KEY.match(text, start, end)
    if head is None:
        return []
    first = head.start("indent")
    entry, other = _lines_of_list(len(head["indent"]))
    starts = [match.start() + 1 for match in entry.finditer(text, first - 1, end)]
    pieces: list[Piece] = [(text[start:end], head["key"]) for start, end in pairwise([*starts, end])]
    return [] if any(other.search(piece[0]) for piece in pieces if piece not in known) else pieces


@cache
def _lines_of_list(indent: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what an entry of a list begins with, its line break included, and what no line of it may begin with."""
    less = rf" {{0,{indent - 1}}}[^\s#]|" if indent else ""
    return (
        re.compile(rf"\n{' ' * indent}-(?=\s)"),
        re.compile(rf"^(?:{less} {{{indent}}}(?:[^\s#-]|-(?!\s)))", re.MULTILINE),
    )


def _read_parts(text: str, pieces: list[Piece], known: Known) -> list[Part] | None:
    """Return the parts of a text, None when they would not mean the same alone."""
    parts: list[Part] = []
    broken = end = 0
    for piece in pieces:
        part = known.get(piece) or _read_part(*piece)
        if part is None or part.reading.has_aliases:
            return None
        end += len(piece[0])
        if part.reading.problems:
            broken += 1
            if broken > _MAX_BROKEN or (_may_go_on(piece[0], text[end:]) and is_valid(text)):
                return None
        parts.append(part)
    # Lines without a single key among them may be one long text.
    return parts if any(part.entries is not None for part in parts) else None


def _read_part(piece: str, key: str | None) -> Part | None:
    """Read a part, None when it is neither entries, nor one entry of a list, nor comments alone."""
    source = SourceText(piece)
    reading = read(source)
    root = reading.root
    if key is not None:
        return Part(source, reading, key) if isinstance(root, Sequence) and len(root.items) == 1 else None
    if isinstance(root, Scalar) and root.style != "empty":
        reading = _read_after_an_entry(piece)
        root = reading.root
    if root is None:
        return Part(source, reading)
    # Own keys come before merged ones wherever they stand, so that a merge into the top level concerns every part.
    apart = isinstance(root, Mapping) and not root.flow and not any(entry.merges for entry in root.entries)
    return Part(source, reading) if apart else None


def _read_after_an_entry(piece: str) -> Reading:
    """Read a part that is a lone word, which is the beginning of a key wherever other entries stand around it."""
    reading = read(SourceText(_BEFORE + piece))
    offset = -len(_BEFORE)
    root = reading.root
    entries = root.entries[1:] if isinstance(root, Mapping) else ()
    kept = Mapping(entries[0].start, entries[-1].end, entries, flow=False) if entries else None
    return Reading(
        None if kept is None else shifted(kept, offset),
        # The parser may find a fault of this part only where it began to read, which is in the entry before it.
        tuple(
            replace(problem, start=max(problem.start + offset, 0), end=max(problem.end + offset, 0))
            for problem in reading.problems
        ),
        tuple((start + offset, end + offset) for start, end in reading.comments),
    )


def _may_go_on(piece: str, rest: str) -> bool:
    """Tell whether a quote or bracket may be open at the end of a part, and closed in the text that follows it."""
    counts = Counter(_COMMENT.sub("", piece))
    brackets = any(counts[opening] != counts[closing] and closing in rest for opening, closing in ("[]", "{}"))
    return brackets or any(counts[quote] % 2 and quote in rest for quote in "'\"")
