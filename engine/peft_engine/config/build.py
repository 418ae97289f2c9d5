"""From tree-sitter's concrete tree to our nodes."""

from bisect import bisect_right

from tree_sitter import Node as SyntaxNode

from peft_engine.config.nodes import Alias, Entry, Mapping, Node, Scalar, Sequence, Target, key_name, target
from peft_engine.config.problems import Problem
from peft_engine.config.scalars import CORE_TAGS, Style, scalar_value
from peft_engine.config.text import SourceText

MAX_DEPTH = 64
"""Levels of nesting that a config may have. The language itself needs four."""

MAX_EXPANDED = 100_000
"""Nodes that a document may have once every alias is followed, against documents made to explode."""

_VERBATIM = "!<tag:yaml.org,2002:"
_TOO_DEEP = f"This is nested more than {MAX_DEPTH} levels deep, so it is not read."
_TOO_LARGE = f"The aliases here stand for more than {MAX_EXPANDED:,} values, so the file is not read."

_SCALARS: dict[str, Style] = {
    "plain_scalar": "plain",
    "single_quote_scalar": "single",
    "double_quote_scalar": "double",
}


class Refused(Exception):
    """The document is beyond `MAX_DEPTH` or `MAX_EXPANDED`. The message is one plain sentence."""


class Builder:
    """Builds the nodes of one document and collects what is wrong with anchors, tags and merges."""

    def __init__(self, source: SourceText, data: bytes) -> None:
        """Prepare for the tree that was parsed from `data`, the UTF-8 form of `source`."""
        self.problems: list[Problem] = []
        self.comments: list[tuple[int, int]] = []
        self.has_aliases = False
        self._source = source
        self._data = data
        self._anchors: dict[str, Target] = {}
        self._extents: dict[int, tuple[int, int]] = {}
        self._line_bytes: list[int] | None = None if len(data) == len(source) else _line_bytes(source)

    def build(self, syntax: SyntaxNode, depth: int = 0, parent_indent: int = -1) -> Node:
        """Return the node of a `block_node` or `flow_node`.

        Raises:
            Refused: It is nested too deeply, or its aliases make it too large.
        """
        if depth > MAX_DEPTH:
            raise Refused(_TOO_DEEP)
        tag: str | None = None
        anchor: str | None = None
        content: SyntaxNode | None = None
        for child in syntax.named_children:
            match child.type:
                case "anchor":
                    anchor = self._text(child)[1:]
                case "tag":
                    tag = self._tag(child)
                case "comment":
                    self._comment(child)
                case _:
                    content = child
        node = self._content(content, syntax, tag, depth, parent_indent)
        if anchor is not None and not isinstance(node, Alias):
            self._anchors[anchor] = node
        return node

    def offset(self, byte: int) -> int:
        """Return the code-point offset of a byte offset."""
        if self._line_bytes is None:
            return byte
        line = bisect_right(self._line_bytes, byte) - 1
        start = self._line_bytes[line]
        return self._source.line_start(line) + len(self._data[start:byte].decode(errors="replace"))

    def _content(
        self, content: SyntaxNode | None, syntax: SyntaxNode, tag: str | None, depth: int, parent_indent: int
    ) -> Node:
        if content is None:
            end = self.offset(syntax.end_byte)
            return Scalar(end, end, scalar_value("", "empty", tag, parent_indent), "", "empty", tag)
        match content.type:
            case "alias":
                return self._alias(content)
            case "block_mapping" | "flow_mapping":
                return self._mapping(content, depth, flow=content.type == "flow_mapping")
            case "block_sequence" | "flow_sequence":
                return self._sequence(content, depth, flow=content.type == "flow_sequence")
            case "block_scalar":
                style: Style = "literal" if self._text(content).startswith("|") else "folded"
            case kind:
                style = _SCALARS.get(kind, "plain")
        raw = self._text(content)
        start = self.offset(content.start_byte)
        value = scalar_value(raw, style, tag, parent_indent)
        return Scalar(start, start + len(raw.rstrip(" \t\r\n")), value, raw, style, tag)

    def _mapping(self, syntax: SyntaxNode, depth: int, *, flow: bool) -> Mapping:
        indent = -1 if flow else syntax.start_point.column
        entries = []
        for child in syntax.named_children:
            if child.type == "comment":
                self._comment(child)
            elif child.type in ("block_mapping_pair", "flow_pair"):
                entries.append(self._entry(child, depth, indent))
            elif child.type == "flow_node":  # `{key}`: a key alone
                key = self.build(child, depth + 1, indent)
                entries.append(Entry(key, _nothing(key.end), key.start, key.end, key_name(key)))
        start = self.offset(syntax.start_byte)
        end = self.offset(syntax.end_byte) if flow or not entries else entries[-1].end
        mapping = Mapping(start, end, tuple(entries), flow)
        self._measure(mapping, [entry.value for entry in entries])
        return mapping

    def _entry(self, syntax: SyntaxNode, depth: int, indent: int) -> Entry:
        key_syntax = value_syntax = colon = None
        for child in syntax.children:
            match child.type:
                case ":":
                    colon = colon or child
                case "comment":
                    self._comment(child)
                case "block_node" | "flow_node" if colon is None:
                    key_syntax = key_syntax or child
                case "block_node" | "flow_node":
                    value_syntax = value_syntax or child
        start = self.offset(syntax.start_byte)
        behind = self.offset(colon.end_byte) if colon is not None else self.offset(syntax.end_byte)
        key = _nothing(start) if key_syntax is None else self.build(key_syntax, depth + 1, indent)
        value = _nothing(behind) if value_syntax is None else self.build(value_syntax, depth + 1, indent)
        return Entry(key, value, start, max(value.end, behind), key_name(key))

    def _sequence(self, syntax: SyntaxNode, depth: int, *, flow: bool) -> Sequence:
        indent = -1 if flow else syntax.start_point.column
        items: list[Node] = []
        for child in syntax.named_children:
            match child.type:
                case "comment":
                    self._comment(child)
                case "block_sequence_item":
                    items.append(self._item(child, depth, indent))
                case "flow_pair":  # `[key: value]`: a mapping of one
                    entry = self._entry(child, depth, indent)
                    pair = Mapping(entry.start, entry.end, (entry,), flow=True)
                    self._measure(pair, [entry.value])
                    items.append(pair)
                case "flow_node":
                    items.append(self.build(child, depth + 1, indent))
        start = self.offset(syntax.start_byte)
        end = self.offset(syntax.end_byte) if flow or not items else items[-1].end
        sequence = Sequence(start, end, tuple(items), flow)
        self._measure(sequence, items)
        return sequence

    def _item(self, syntax: SyntaxNode, depth: int, indent: int) -> Node:
        for child in syntax.named_children:
            if child.type == "comment":
                self._comment(child)
            else:
                return self.build(child, depth + 1, indent)
        return _nothing(self.offset(syntax.start_byte) + 1)

    def _alias(self, syntax: SyntaxNode) -> Alias:
        name = self._text(syntax)[1:]
        start, end = self.offset(syntax.start_byte), self.offset(syntax.end_byte)
        self.has_aliases = True
        found = self._anchors.get(name)
        if found is None:
            message = f"No anchor `&{name}` stands before this alias."
            self.problems.append(Problem("alias", message, start, end))
        return Alias(start, end, name, found)

    def _measure(self, node: Node, children: list[Node]) -> None:
        """Count the nodes and levels of a collection with its aliases followed; what they mean was counted before."""
        extents = [self._extents.get(id(target(child)), (1, 1)) for child in children]
        size = 1 + sum(size for size, _ in extents)
        height = 1 + max((height for _, height in extents), default=0)
        if size > MAX_EXPANDED:
            raise Refused(_TOO_LARGE)
        if height > MAX_DEPTH:
            raise Refused(_TOO_DEEP)
        self._extents[id(node)] = (size, height)

    def _tag(self, syntax: SyntaxNode) -> str:
        tag = self._text(syntax)
        if tag.startswith(_VERBATIM):  # the same tag, written in full
            tag = f"!!{tag.removeprefix(_VERBATIM).removesuffix('>')}"
        if tag not in CORE_TAGS:
            start, end = self.offset(syntax.start_byte), self.offset(syntax.end_byte)
            self.problems.append(Problem("tag", f"The tag `{tag}` has no meaning in a config.", start, end))
        return tag

    def _comment(self, syntax: SyntaxNode) -> None:
        self.comments.append((self.offset(syntax.start_byte), self.offset(syntax.end_byte)))

    def _text(self, syntax: SyntaxNode) -> str:
        return self._data[syntax.start_byte : syntax.end_byte].decode(errors="replace")


def _nothing(offset: int) -> Scalar:
    return Scalar(offset, offset, None, "", "empty")


def _line_bytes(source: SourceText) -> list[int]:
    """Return the byte offset of each line's start."""
    offsets, total = [], 0
    for line in range(source.line_count):
        offsets.append(total)
        end = source.line_start(line + 1) if line + 1 < source.line_count else len(source)
        total += len(source.text[source.line_start(line) : end].encode())
    return offsets
