"""Semantic tokens: what a grammar cannot know, such as which keys the language has and which values change nothing."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from enum import IntEnum, IntFlag
from itertools import count
from typing import NamedTuple

from peft_daemon.language.anchors import anchors
from peft_daemon.language.binding import BoundKey, bind
from peft_daemon.language.convert import range_from_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.mentions import named_in
from peft_daemon.lsp import types
from peft_daemon.lsp.params import SemanticTokensDeltaParams, TextDocumentParams, TextDocumentRangeParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.document import Document
from peft_engine.config.nodes import Alias, Mapping, Node, Scalar, Sequence, plain
from peft_engine.config.parts import Part
from peft_engine.config.text import SourceText

_KEPT = 32
"""Documents whose last tokens are kept, so that the editor can be told what changed."""

_MEMO = "semantic tokens"


class TokenType(IntEnum):
    """The kinds of token, in the order of the legend."""

    section = 0
    property = 1
    enumMember = 2
    number = 3
    string = 4
    keyword = 5
    path = 6
    variable = 7
    comment = 8


class Modifier(IntFlag):
    """What may be said of a token beside its kind, in the order of the legend."""

    declaration = 1
    """The anchor, of which its aliases are uses."""

    deprecated = 2
    """A key that has no effect: the language has none of that name, or the section has it already."""

    default = 4
    """A key or value that changes nothing, because it would be so if it were not written."""


_NOTHING = Modifier(0)


class Token(NamedTuple):
    """A stretch of one line."""

    line: int
    start: int
    length: int
    """In UTF-16 code units, as `start`."""

    type: TokenType
    modifiers: Modifier


def tokens(document: OpenDocument, range_: types.Range | None = None) -> list[Token]:
    """Return the tokens of a document, or of the lines that a range touches, in their order."""
    first, last = 0, document.source.line_count - 1
    if range_ is not None:
        lines = range_from_lsp(range_)
        first, last = lines.start.line, lines.end.line
    repeated = _repeated_sections(document)
    found: list[Token] = []
    for part, placed in document.document.alone:
        if placed.line <= last and first <= placed.line + part.source.line_count - 1:
            found += (
                Token(line, start, length, kind, Modifier.deprecated if (line, start) in repeated else modifiers)
                for own, start, length, kind, modifiers in _of_part(part, placed.part)
                if first <= (line := own + placed.line) <= last
            )
    return found


def encode(found: Iterable[Token]) -> list[int]:
    """Return tokens as LSP's numbers, five each, every place counted from the token before."""
    data: list[int] = []
    line = start = 0
    for token in found:
        data += [token.line - line, token.start - (start if token.line == line else 0), token.length]
        data += [int(token.type), int(token.modifiers)]
        line, start = token.line, token.start
    return data


def changes(before: list[int], after: list[int]) -> list[types.SemanticTokensEdit]:
    """Return the edit that makes some numbers of others; none when they are equal."""
    if before == after:
        return []
    shorter = min(len(before), len(after))
    head = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    tail = next((i for i in range(shorter - head) if before[-1 - i] != after[-1 - i]), shorter - head)
    return [{"start": head, "deleteCount": len(before) - head - tail, "data": after[head : len(after) - tail]}]


class _Span(NamedTuple):
    start: int
    end: int
    type: TokenType
    modifiers: Modifier


def _of_part(document: Document, part: Part) -> list[Token]:
    """Return the tokens of a part of a document, worked out once for all versions that have it."""
    known: list[Token] | None = part.memo.get(_MEMO)
    if known is None:
        known = part.memo[_MEMO] = []
        behind = 0
        for span in sorted(set(_spans(document))):
            if span.end > span.start >= behind:
                behind = span.end
                known += _by_line(document.source, span)
    return known


def _repeated_sections(document: OpenDocument) -> frozenset[tuple[int, int]]:
    """Return where the keys stand that the document has already: its parts, each read alone, do not show that."""
    source = document.source
    starts = (one.again.key.start for one in bind(document.document).repeated if len(one.path) == 1)
    lines = ((source.line_of(start), start) for start in starts)
    return frozenset((line, start - source.line_start(line)) for line, start in lines)


def _spans(document: Document) -> Iterator[_Span]:
    yield from (_Span(start, end, TokenType.comment, _NOTHING) for start, end in document.comments)
    for anchor in anchors(document):
        yield _Span(anchor.start, anchor.end, TokenType.variable, Modifier.declaration)
    if document.root is not None:
        yield from _Walk(document).spans(document.root)


class _Walk:
    """Goes through the written tree with what the language knows of its keys and values."""

    def __init__(self, document: Document) -> None:
        binding = bind(document)
        self._known = {bound.entry.key.start: bound for bound in reversed(binding.known)}
        self._idle = {stray.entry.key.start for stray in binding.stray} - self._known.keys()
        self._idle |= {repeated.again.key.start for repeated in binding.repeated}
        self._paths = {mention.node.start for mention in named_in(document) if mention.reads_as_path}

    def spans(self, node: Node, bound: BoundKey | None = None) -> Iterator[_Span]:
        """Yield the keys and values of a node.

        Args:
            node: The node.
            bound: The key whose value it is, or an entry of whose list, when the language knows that.
        """
        match node:
            case Mapping():
                for entry in node.entries:
                    yield from self._entry(entry.key, entry.value)
            case Sequence():
                for item in node.items:
                    yield from self.spans(item, bound)
            case Alias():
                yield _Span(node.start, node.end, TokenType.variable, _NOTHING)
            case Scalar():
                yield _Span(node.start, node.end, self._type(node, bound), _changes_nothing(bound))

    def _entry(self, key: Node, value: Node) -> Iterator[_Span]:
        bound = self._known.get(key.start)
        if isinstance(key, Alias):
            yield _Span(key.start, key.end, TokenType.variable, _NOTHING)
        elif key.start in self._idle:
            yield _Span(key.start, key.end, TokenType.property, Modifier.deprecated)
        elif isinstance(key, Scalar):
            kind = TokenType.section if bound is not None and bound.key.section is not None else TokenType.property
            yield _Span(key.start, key.end, kind, _changes_nothing(bound))
        yield from self.spans(value, bound)

    def _type(self, node: Scalar, bound: BoundKey | None) -> TokenType:
        if node.start in self._paths:
            return TokenType.path
        if bound is not None and node.value in bound.key.choices and not isinstance(node.value, bool):
            return TokenType.enumMember
        if node.value is None or isinstance(node.value, bool):
            return TokenType.keyword
        return TokenType.number if isinstance(node.value, int | float) else TokenType.string


def _changes_nothing(bound: BoundKey | None) -> Modifier:
    """Return the modifier of a key whose value is the language's own default."""
    if bound is None or bound.key.section is not None or bound.key.required or bound.key.default is None:
        return _NOTHING
    value = plain(bound.entry.value)
    same = value == bound.key.default and isinstance(value, bool) == isinstance(bound.key.default, bool)
    return Modifier.default if same else _NOTHING


def _by_line(source: SourceText, span: _Span) -> Iterator[Token]:
    """Yield a span as one token a line, because not every editor takes longer ones."""
    for line in range(source.line_of(span.start), source.line_of(span.end) + 1):
        begin = source.line_start(line)
        start, end = max(span.start, begin), min(span.end, source.line_end(line))
        text = source.text[start:end]
        blanks = len(text) - len(text.lstrip(" \t"))
        if blanks < len(text):
            before = source.text[begin : start + blanks]
            yield Token(line, _units(before), _units(text[blanks:]), span.type, span.modifiers)


def _units(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def legend() -> dict[str, list[str]]:
    """Return what the numbers mean, as LSP's `SemanticTokensLegend`."""
    return {
        "tokenTypes": [kind.name for kind in TokenType],
        "tokenModifiers": [str(modifier.name) for modifier in Modifier],
    }


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/semanticTokens/full`, `full/delta` and `range`."""
    ids = count(1)
    sent: OrderedDict[str, tuple[str, list[int]]] = OrderedDict()

    def data_of(uri: str, range_: types.Range | None = None) -> list[int]:
        document = server.documents.get(uri)
        return [] if document is None else encode(tokens(document, range_))

    def keep(uri: str, data: list[int]) -> str:
        result_id = str(next(ids))
        sent[uri] = (result_id, data)
        sent.move_to_end(uri)
        if len(sent) > _KEPT:
            sent.popitem(last=False)
        return result_id

    def full(params: TextDocumentParams) -> types.SemanticTokens:
        uri = params["textDocument"]["uri"]
        data = data_of(uri)
        return {"resultId": keep(uri, data), "data": data}

    def delta(params: SemanticTokensDeltaParams) -> types.SemanticTokens | types.SemanticTokensDelta:
        uri = params["textDocument"]["uri"]
        before = sent.get(uri)
        data = data_of(uri)
        result_id = keep(uri, data)
        if before is None or before[0] != params["previousResultId"]:
            return {"resultId": result_id, "data": data}
        return {"resultId": result_id, "edits": changes(before[1], data)}

    def part(params: TextDocumentRangeParams) -> types.SemanticTokens:
        return {"data": data_of(params["textDocument"]["uri"], params["range"])}

    server.feature("textDocument/semanticTokens/full", full)
    server.feature("textDocument/semanticTokens/full/delta", delta)
    server.feature("textDocument/semanticTokens/range", part)
