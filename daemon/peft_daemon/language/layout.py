"""The layout that a config should have: indentation, blanks and line ends, never what a value says.

It is worked out from the tree, so comments stay where they are and what stands in quotes, brackets and block scalars is
only moved sideways as a whole. Nothing is returned that would change what the text means: the outcome is read again.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from peft_engine.config.document import Document, parse
from peft_engine.config.nodes import Alias, Entry, Mapping, Node, Scalar, Sequence
from peft_engine.config.text import SourceText

STEP = 2
"""Columns by which a section is indented unless the editor asks for others."""

_BEFORE_DASH = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*+|[&!][^\s,\[\]{}]*+)*+(?=-)")
_COLON = re.compile(r"(?P<before>[ \t]*):")
_GAP = re.compile(r"[ \t]*(?=[^\s#])")
_BLANKS = " \t"
_BOM = "\ufeff"


class _Unusual(Exception):
    """The text has something that is better left as it is, such as an explicit `? key`."""


@dataclass(frozen=True)
class Change:
    """A stretch of the text and what should stand there."""

    start: int
    end: int
    text: str
    indents: bool = False
    """Whether it moves a line sideways, which is right only together with the lines that belong to it."""


def layout(document: Document, step: int = STEP) -> list[Change]:
    """Return what brings a document into its layout, from the top down; nothing when it has faults."""
    changes = _changes(document, step)
    return changes if _means_the_same(document, changes) else []


def layout_of_lines(document: Document, first: int, last: int, step: int = STEP) -> list[Change]:
    """Return what brings some lines into their layout.

    Where moving these lines alone would change what the document means, they stay in their columns.
    """
    source = document.source
    start = source.line_start(min(first, source.line_count - 1))
    end = source.line_start(last + 1) if last + 1 < source.line_count else len(source)
    inside = [change for change in _changes(document, step) if start <= change.start and change.end <= end]
    if not _means_the_same(document, inside):
        inside = [change for change in inside if not change.indents]
    return inside if _means_the_same(document, inside) else []


def apply(text: str, changes: Iterable[Change]) -> str:
    """Return a text with changes made, which are in its order and do not overlap."""
    pieces, at = [], 0
    for change in changes:
        pieces += [text[at : change.start], change.text]
        at = change.end
    return "".join([*pieces, text[at:]])


def _changes(document: Document, step: int) -> list[Change]:
    if not document.is_sound:
        return []
    try:
        return _Layout(document, step).changes()
    except _Unusual:
        return []


def _means_the_same(document: Document, changes: list[Change]) -> bool:
    if not changes:
        return True
    after = parse(SourceText(apply(document.source.text, changes)))
    # `repr` tells 1 from 1.0 and true, and takes NaN for itself.
    same = repr(document.to_plain()) == repr(after.to_plain())
    return same and after.is_sound and _comments(document) == _comments(after)


def _comments(document: Document) -> list[str]:
    return [document.source.text[start:end].rstrip() for start, end in sorted(document.comments)]


Levels = tuple[tuple[int, int], ...]
"""The columns of the open blocks from the root down: as written, and as they should be."""


class _Layout:
    """Walks the tree of one document and says for each line where it should begin."""

    def __init__(self, document: Document, step: int) -> None:
        self._source = document.source
        self._text = document.source.text
        self._step = step
        lines = self._source.line_count
        self._columns: dict[int, int] = {}
        """The columns of the lines that a key or a list entry begins."""

        self._levels: dict[int, Levels] = {}
        """The blocks that are open behind these lines."""

        self._shift = [0] * lines
        """How far each other line moves along with the block that holds it."""

        self._in_flow: set[int] = set()
        self._in_scalar: set[int] = set()
        """Lines that begin inside a value of several lines."""

        self._ends_in_scalar: set[int] = set()
        """Lines whose last blanks belong to such a value."""

        self._in_block_scalar: dict[int, int] = {}
        """Lines of block scalars, with the column at which the scalar's text begins."""

        self._spacing: list[Change] = []
        if document.root is not None:
            if not _is_flow(document.root) and self._before(document.root.start).strip():
                raise _Unusual
            self._value(document.root, 0, (), 0)
        self._begun = sorted(self._levels)

    def changes(self) -> list[Change]:
        """Return every change, from the top down."""
        changes = [*self._spacing, *self._lines()]
        return sorted((c for c in changes if self._text[c.start : c.end] != c.text), key=lambda c: (c.start, c.end))

    def _value(self, node: Node, column: int, levels: Levels, begin: int) -> None:
        """Take in a value.

        Args:
            node: The value.
            column: Where it should begin, if it is a block.
            levels: The blocks that hold it.
            begin: An offset before it, behind all that comes before it.
        """
        match node:
            case Mapping(flow=False):
                self._mapping(node, column, levels)
            case Sequence(flow=False):
                self._sequence(node, column, levels, begin)
            case Scalar(style="literal" | "folded"):
                self._block_scalar(node)
            case Scalar():
                first, last = self._line(node.start), self._line(node.end)
                self._in_scalar.update(range(first + 1, last + 1))
                self._ends_in_scalar.update(range(first, last))
            case Mapping() | Sequence():
                self._in_flow.update(range(self._line(node.start) + 1, self._line(node.end) + 1))
                for child in _children(node):
                    self._value(child, 0, (), child.start)

    def _mapping(self, node: Mapping, column: int, levels: Levels) -> None:
        written = self._column(node.start)
        levels = (*levels, (written, column))
        for entry in node.entries:
            if self._text[entry.start] == "?" and entry.key.start > entry.start:
                raise _Unusual
            self._begin(entry.start, column, levels)
            self._move(entry.start, entry.end, column - written)
            self._value(entry.value, column + self._step, levels, self._space_colon(entry))

    def _sequence(self, node: Sequence, column: int, levels: Levels, begin: int) -> None:
        dashes = []
        for item in node.items:
            before = _BEFORE_DASH.match(self._text, begin)
            if before is None:
                raise _Unusual
            dashes.append(before.end())
            begin = max(item.end, before.end() + 1)
        written = self._column(dashes[0])
        levels = (*levels, (written, column))
        for dash, item in zip(dashes, node.items, strict=True):
            self._begin(dash, column, levels)
            self._move(dash, item.end, column - written)
            self._space(dash + 1)
            self._value(item, column + len("- "), levels, dash + 1)

    def _block_scalar(self, node: Scalar) -> None:
        header, last = self._line(node.start), self._line(node.end)
        lines = range(header + 1, last + 1)
        written = [self._source.line(line) for line in lines]
        column = next((_indent(line) for line in written if line.strip(_BLANKS)), None)
        if column is None:
            return
        # Blank lines behind the text belong to it where `+` keeps them, or where they reach beyond its column.
        keeps = "+" in self._source.line(header)[self._column(node.start) :].partition("#")[0]
        for line in range(last + 1, self._source.line_count):
            blank = self._source.line(line)
            if blank.strip(_BLANKS):
                break
            if keeps or len(blank) > column:
                last = line
        for line in range(header + 1, last + 1):
            self._in_block_scalar[line] = column
            # Blank lines behind the scalar's last text line were not moved along with its entry.
            self._shift[line] = self._shift[header + 1]
        self._in_scalar.update(range(header + 1, last + 1))
        self._ends_in_scalar.update(range(header + 1, last + 1))

    def _begin(self, offset: int, column: int, levels: Levels) -> None:
        line = self._line(offset)
        if not self._before(offset).strip(_BLANKS):
            self._columns[line] = column
        self._levels[line] = levels

    def _move(self, start: int, end: int, by: int) -> None:
        for line in range(self._line(start) + 1, self._line(end) + 1):
            self._shift[line] = by

    def _space_colon(self, entry: Entry) -> int:
        """Put the colon of an entry where it belongs and return the offset behind it."""
        # An alias needs the blank before its colon, which would else be a part of its name.
        if isinstance(entry.key, Alias) or entry.key.start == entry.key.end:
            return max(entry.key.end, entry.start + 1)
        colon = _COLON.match(self._text, entry.key.end)
        if colon is None:
            raise _Unusual
        self._spacing.append(Change(entry.key.end, colon.end() - 1, ""))
        self._space(colon.end())
        return colon.end()

    def _space(self, offset: int) -> None:
        """Ask for one blank behind a colon or dash that a value follows; the place of a comment is its writer's."""
        gap = _GAP.match(self._text, offset)
        if gap is not None and gap.end() > offset:
            self._spacing.append(Change(offset, gap.end(), " "))

    def _lines(self) -> Iterable[Change]:
        lines = range(self._source.line_count)
        filled = [line for line in lines if line in self._in_scalar or self._written(line).strip(_BLANKS)]
        if not filled:
            return
        blank_before = True
        for line in range(filled[-1] + 1):
            if line in self._in_block_scalar:
                yield self._indent_block_scalar(line)
                blank_before = False
            elif line in self._in_scalar or self._written(line).strip(_BLANKS):
                yield from self._trim(line)
                blank_before = False
            elif blank_before:
                yield Change(self._source.line_start(line), self._source.line_start(line + 1), "")
            else:
                yield Change(self._source.line_start(line), self._source.line_end(line), "")
                blank_before = True
        yield from self._end(filled[-1])

    def _end(self, last: int) -> Iterable[Change]:
        """Ask for one line end behind the last line. A block scalar's own end says something, so it stays."""
        end = self._source.line_end(last)
        if last in self._in_block_scalar and end == len(self._text):
            return
        following = self._source.line_start(last + 1) if last + 1 < self._source.line_count else end
        line_end = self._text[end:following] or ("\r\n" if "\r\n" in self._text else "\n")
        yield Change(end, len(self._text), line_end)

    def _trim(self, line: int) -> Iterable[Change]:
        written = self._written(line)
        start = self._source.line_end(line) - len(written)
        indent = _indent(written)
        if written.strip(_BLANKS):
            yield Change(start, start + indent, " " * self._wanted(line, written, indent), indents=True)
        if line not in self._ends_in_scalar:
            yield Change(start + len(written.rstrip(_BLANKS)), start + len(written), "")

    def _wanted(self, line: int, written: str, indent: int) -> int:
        if line in self._columns:
            return self._columns[line]
        if written[indent] == "#" and line not in self._in_flow and line not in self._in_scalar:
            return self._comment_column(line, indent)
        return max(indent + self._shift[line], 0)

    def _comment_column(self, line: int, indent: int) -> int:
        """Return the column of a comment.

        It is that of the line below it where it stands flush with that, else that of the block that it stands in.
        """
        index = bisect_left(self._begun, line)
        around = self._begun[max(index - 1, 0) : index + 1]
        below = self._begun[index] if index < len(self._begun) else None
        if below is not None and below in self._columns and _indent(self._written(below)) == indent:
            return self._columns[below]
        levels = [level for other in around for level in self._levels[other]]
        reached = [level for level in levels if level[0] <= indent]
        return max(reached)[1] if reached else min(levels, default=(0, 0))[1]

    def _indent_block_scalar(self, line: int) -> Change:
        written, column = self._source.line(line), self._in_block_scalar[line]
        start = self._source.line_start(line)
        blanks = len(written) - len(written.lstrip(" "))
        wanted = max(column + self._shift[line], 0)
        # A blank line that ends left of the text is empty, and must not reach into the text once that has moved.
        empty = blanks < column and blanks == len(written)
        moved = min(blanks, wanted) if empty else max(blanks - column + wanted, 0)
        return Change(start, start + blanks, " " * moved, indents=True)

    def _line(self, offset: int) -> int:
        return self._source.line_of(offset)

    def _written(self, line: int) -> str:
        """Return a line without the byte order mark that the first may have."""
        return self._source.line(line).removeprefix(_BOM)

    def _before(self, offset: int) -> str:
        start = self._source.line_start(self._line(offset))
        return self._text[start:offset].removeprefix(_BOM)

    def _column(self, offset: int) -> int:
        return len(self._before(offset))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(_BLANKS))


def _is_flow(node: Node) -> bool:
    return not isinstance(node, Mapping | Sequence) or node.flow


def _children(node: Mapping | Sequence) -> Iterable[Node]:
    if isinstance(node, Sequence):
        yield from node.items
        return
    for entry in node.entries:
        yield entry.key
        yield entry.value
