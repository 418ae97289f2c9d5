"""Text edits that keep the rest of a document as it is: comments, order, indentation and line ends."""

import re
from bisect import bisect_left

from peft_engine.config.document import Document
from peft_engine.config.nodes import Alias, Entry, Mapping, Scalar, Sequence, target
from peft_schemas.findings import TextEdit

_STEP = "  "
"""One level of indentation where there is no neighbour to take it from."""

_DASHES = re.compile(r" *(?:- +)+")
"""What stands before the first key of a list's entry."""


def replace_span(document: Document, start: int, end: int, text: str) -> TextEdit:
    """Return an edit of the characters between two offsets."""
    return TextEdit(range=document.source.range(start, end), newText=text)


def delete_entry(document: Document, mapping: Mapping, entry: Entry, *, even_last: bool = False) -> TextEdit | None:
    """Return the edit that removes an entry, None when it is the only one or shares its lines or an anchor.

    Nor is one removed that stands in a mapping which is merged into this one. With `even_last` the only entry of a
    mapping in block style is removed as well: a part's root has others elsewhere.
    """
    entries = mapping.entries
    source = document.source
    written = source.text[entry.start : entry.end]
    if (len(entries) < 2 and (mapping.flow or not even_last)) or "&" in written or not has_entry(mapping, entry):
        return None
    if mapping.flow:
        index = _index(mapping, entry)
        if index + 1 < len(entries):
            return replace_span(document, entry.start, entries[index + 1].start, "")
        return replace_span(document, entries[index - 1].end, entry.end, "")
    first, last = source.line_of(entry.start), source.line_of(entry.end)
    before = source.text[source.line_start(first) : entry.start]
    if _DASHES.fullmatch(before) and len(entries) > 1:
        following = source.text[source.line_start(last + 1) : entries[1].start]
        return replace_span(document, entry.start, entries[1].start - len(following.lstrip()), "")
    if before.strip():
        return None
    if last + 1 < source.line_count:
        return replace_span(document, source.line_start(first), source.line_start(last + 1), "")
    return replace_span(document, source.line_end(first - 1) if first else 0, len(source), "")


def has_entry(mapping: Mapping, entry: Entry) -> bool:
    """Tell whether an entry stands in a mapping itself, and not in one that is merged into it."""
    index = _index(mapping, entry)
    return index < len(mapping.entries) and mapping.entries[index] is entry


def insert_root_key(document: Document, text: str, *, first: bool = False) -> TextEdit | None:
    """Return the edit that adds a key to the root, None where that cannot be done by inserting.

    Args:
        document: The document.
        text: The key and its value, several lines for a section, indented from column 0.
        first: Whether it goes above the other keys.
    """
    root = target(document.root)
    if root is None or (isinstance(root, Scalar) and root.value is None and root.style == "empty"):
        end = len(document.source)
        fresh_line = not document.source.line(document.source.line_count - 1)
        return replace_span(document, end, end, _lines(document, ("" if fresh_line else "\n") + text + "\n"))
    if not isinstance(root, Mapping) or root.flow or isinstance(document.root, Alias):
        return None
    if first:
        start = root.entries[0].start
        indent = _indent_of(document, start)
        return replace_span(document, start, start, _lines(document, text + "\n").replace("\n", "\n" + indent))
    return _append(document, root, text)


def insert_key(document: Document, mapping: Mapping, text: str) -> TextEdit | None:
    """Return the edit that adds `key: value` behind the last entry of a section."""
    if mapping.flow:
        if "\n" in text:
            return None
        if not mapping.entries:
            return replace_span(document, mapping.start + 1, mapping.start + 1, text)
        end = mapping.entries[-1].end
        return replace_span(document, end, end, f", {text}")
    return _append(document, mapping, text)


def insert_below(document: Document, entry: Entry, text: str) -> TextEdit:
    """Return the edit that gives a key without a value its first key."""
    source = document.source
    end = source.line_end(source.line_of(entry.end))
    indent = _indent_of(document, entry.start) + _STEP
    return replace_span(document, end, end, _lines(document, f"\n{indent}{text}"))


def contains_anchor(document: Document, start: int, end: int) -> bool:
    """Tell whether an anchor may stand between two offsets, so that moving the text could break an alias."""
    return "&" in document.source.text[start:end]


def is_one_line(document: Document, entry: Entry) -> bool:
    """Tell whether an entry stands on one line."""
    return document.source.line_of(entry.start) == document.source.line_of(entry.end)


def value_text(document: Document, entry: Entry) -> str:
    """Return an entry's value as it is written."""
    value = entry.value
    return document.source.text[value.start : value.end]


def list_entry(sequence: Sequence) -> Mapping | None:
    """Return the only entry of a list of sections, None when there are none or several."""
    only = target(sequence.items[0]) if len(sequence.items) == 1 else None
    return only if isinstance(only, Mapping) else None


def _index(mapping: Mapping, entry: Entry) -> int:
    """Return which of a mapping's entries one is, where it is one of them."""
    return bisect_left(mapping.entries, entry.start, key=lambda other: other.start)


def _append(document: Document, mapping: Mapping, text: str) -> TextEdit | None:
    if not mapping.entries:
        return None
    source = document.source
    last = mapping.entries[-1]
    indent = _indent_of(document, last.start)
    end = source.line_end(source.line_of(max(last.end, last.start)))
    return replace_span(document, end, end, _lines(document, "\n" + text).replace("\n", "\n" + indent))


def _indent_of(document: Document, offset: int) -> str:
    """Return the spaces that bring a new line to the column of an offset."""
    source = document.source
    before = source.text[source.line_start(source.line_of(offset)) : offset]
    return " " * len(before.removeprefix("\ufeff"))


def _lines(document: Document, text: str) -> str:
    return text.replace("\n", "\r\n") if "\r\n" in document.source.text else text
