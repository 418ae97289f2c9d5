"""Where the cursor stands in the language, also while the text around it is broken.

A half-typed line spoils any parse, so the place is read off the lines: indentation for blocks, brackets for flow
collections. Only flow collections that began on an earlier line are looked up in the tree.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from peft_engine.config.document import Document, Path
from peft_engine.config.nodes import MERGE_KEY, Mapping, Node, Sequence
from peft_engine.config.text import SourceText

_PREFIX = re.compile(r"(?P<indent>[ \t]*)(?P<dashes>(?:-[ \t]+)*(?:-$)?)")
_KEY = re.compile(r"""(?P<key>[^\s:#'"{}\[\],&*!|>%@`-][^:#{}\[\],]*?|"[^"]*"|'[^']*')\s*:(?=\s|$)""")
_WORD_AFTER = re.compile(r"[\w.-]*")
_COLON_AFTER = re.compile(r"[ \t]*:")


@dataclass(frozen=True)
class Cursor:
    """A place where something can be written."""

    kind: Literal["key", "value"]
    path: Path
    """The section that gets a key, or the key that gets a value."""

    start: int
    end: int
    """The offsets of what is typed already and would be replaced."""

    column: int
    """The column of the key, for the lines of a section that is inserted."""

    flow: bool
    in_list: bool
    """Whether the cursor stands behind the `- ` of a list entry, or in the brackets of a list."""

    colon_follows: bool = False
    beside: frozenset[str] = frozenset()
    """Keys before it in its flow mapping, which is seldom closed while it is typed."""
    space_needed: bool = False
    """Whether the cursor touches the colon of its key."""


@dataclass
class _Frame:
    bracket: str
    key: str | None = None
    index: int = 0
    token: int = 0
    keys: set[str] = field(default_factory=set)


def locate(document: Document, offset: int) -> Cursor | None:
    """Return the place at an offset, None in comments and where nothing of the language can stand."""
    cursor = _locate(document, offset)
    return cursor if cursor is None else replace(cursor, path=_merged(cursor.path))


def _merged(path: Path) -> Path:
    """Return the path that a place has in the mapping into which its own is merged."""
    parts: list[str | int] = []
    for before, part in zip((None, *path), path, strict=False):
        if part != MERGE_KEY and not (before == MERGE_KEY and isinstance(part, int)):
            parts.append(part)
    return tuple(parts)


def _locate(document: Document, offset: int) -> Cursor | None:
    source = document.source
    line = source.line_of(offset)
    start = source.line_start(line)
    before = source.text[start:offset]
    if _in_comment(before):
        return None
    flow = _enclosing_flow(document, offset, start)
    if flow is not None:
        return _in_flow(source, flow[0], flow[1], offset)
    _, content_at, in_list = _columns(before)
    content = before[content_at:]
    path = _block_path(source, line, before)
    key = _KEY.match(content)
    if key is None:
        if re.search(r"[:{}\[\]\"'#]", content):
            return _in_line_flow(source, start + content_at, offset, path)
        after = _WORD_AFTER.match(source.text, offset)
        end = after.end() if after else offset
        colon = bool(_COLON_AFTER.match(source.text, end))
        return Cursor("key", path, start + content_at, end, content_at, False, in_list, colon)
    path = (*path, _unquoted(key["key"]))
    value = content[key.end() :]
    if value.lstrip().startswith(("{", "[")):
        return _in_flow(source, path, start + content_at + key.end() + len(value) - len(value.lstrip()), offset)
    value_start = start + content_at + key.end() + len(value) - len(value.lstrip())
    return _value(source, path, value_start, offset, flow=False, space_needed=not value)


def _in_line_flow(source: SourceText, start: int, offset: int, path: Path) -> Cursor | None:
    """Return the place in a flow collection that is a list entry of its own: `- {path: x, `."""
    return _in_flow(source, path, start, offset) if source.text[start : start + 1] in ("{", "[") else None


def _in_flow(source: SourceText, path: Path, start: int, offset: int) -> Cursor | None:
    """Return the place in a flow collection that begins at `start`, None when it is closed before the cursor."""
    frames: list[_Frame] = []
    quote = ""
    text = source.text
    for at in range(start, offset):
        character = text[at]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and not text[frames[-1].token : at].strip():
            quote = character
        elif character in "{[":
            frames.append(_Frame(character, token=at + 1))
        elif character in "}]":
            frames.pop()
            if not frames:
                return None
        elif character == "," and frames:
            frames[-1].key, frames[-1].token = None, at + 1
            frames[-1].index += 1
        elif character == ":" and frames and frames[-1].key is None and text[at + 1 : at + 2] in (" ", "", "\n", "\r"):
            frames[-1].key = _unquoted(text[frames[-1].token : at].strip())
            frames[-1].keys.add(frames[-1].key)
            frames[-1].token = at + 1
    if quote or not frames:
        return None
    for frame in frames:
        if frame.bracket == "[":
            path = (*path, frame.index)
        elif frame.key is not None:
            path = (*path, frame.key)
    last = frames[-1]
    typed = text[last.token : offset]
    at = last.token + len(typed) - len(typed.lstrip())
    if last.bracket == "[":
        return _value(source, path[:-1], at, offset, flow=True, in_list=True)
    if last.key is None:
        after = _WORD_AFTER.match(text, offset)
        end = after.end() if after else offset
        colon = bool(_COLON_AFTER.match(text, end))
        return Cursor("key", path, at, end, 0, True, False, colon, frozenset(last.keys))
    return _value(source, path, at, offset, flow=True, space_needed=not typed)


def _value(
    source: SourceText,
    path: Path,
    start: int,
    offset: int,
    *,
    flow: bool,
    in_list: bool = False,
    space_needed: bool = False,
) -> Cursor:
    rest = re.compile(r"[^\r\n,}\]#]*" if flow else r"[^\r\n#]*").match(source.text, offset)
    typed = source.text[start : rest.end() if rest else offset].rstrip()
    end = max(start + len(typed), offset)
    return Cursor("value", path, start, end, 0, flow, in_list, space_needed=space_needed)


def _enclosing_flow(document: Document, offset: int, line_start: int) -> tuple[Path, int] | None:
    """Return path and start of the outermost flow collection that holds the offset and began on an earlier line."""

    def search(node: Node, path: Path) -> tuple[Path, int] | None:
        if isinstance(node, Mapping | Sequence) and node.flow:
            return (path, node.start) if node.start < min(line_start, offset) and offset < node.end else None
        children: list[tuple[Node, str | int]] = []
        if isinstance(node, Mapping):
            children = [(entry.value, entry.name) for entry in node.entries]
        elif isinstance(node, Sequence):
            children = [(item, index) for index, item in enumerate(node.items)]
        for child, part in children:
            if child.start <= offset <= child.end and (found := search(child, (*path, part))):
                return found
        return None

    return None if document.root is None else search(document.root, ())


def _block_path(source: SourceText, line: int, before: str) -> Path:
    """Return the path of the section that a line belongs to, read upwards by indentation."""
    indent, column, dashed = _columns(before)
    path: list[str | int] = [0] if dashed else []
    limit = column
    """Only keys left of it can hold this place."""
    dash = indent if dashed else None
    """The column of the dashes of the list whose entries are being counted."""
    for above in range(line - 1, -1, -1):
        written = source.line(above)
        if not written.strip() or written.lstrip().startswith("#"):
            continue
        indent, column, dashed = _columns(written)
        key = _KEY.match(written[column:])
        if dash is not None:
            if dashed and indent == dash:
                path[0] = int(path[0]) + 1
            elif key is not None and not dashed and indent <= dash:
                path.insert(0, _unquoted(key["key"]))
                dash, limit = None, column
        elif key is not None and column < limit:
            path.insert(0, _unquoted(key["key"]))
            limit = column
            if dashed:
                path.insert(0, 0)
                dash = indent
        elif dashed and indent < limit:
            path.insert(0, 0)
            dash = indent
        if dash is None and limit == 0:
            break
    return tuple(path)


def _columns(line: str) -> tuple[int, int, bool]:
    """Return the column of a line's first character, that of its content behind list dashes, and whether it has any."""
    prefix = _PREFIX.match(line)
    if prefix is None:
        return 0, 0, False
    return len(prefix["indent"]), prefix.end(), bool(prefix["dashes"])


def _in_comment(before: str) -> bool:
    return bool(re.match(r"\s*#", before) or re.search(r"""^[^'"]*\s#""", before))


def _unquoted(key: str) -> str:
    return key[1:-1] if key[:1] in "'\"" and key[-1:] == key[:1] and len(key) > 1 else key
