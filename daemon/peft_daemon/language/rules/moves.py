"""Repairs of a key that stands in the wrong place or under the wrong name."""

from collections.abc import Iterator

from peft_daemon.language.binding import StrayKey
from peft_daemon.language.rules.edits import (
    contains_anchor,
    delete_entry,
    has_entry,
    insert_below,
    insert_key,
    insert_root_key,
    is_one_line,
    list_entry,
    replace_span,
    value_text,
)
from peft_daemon.language.rules.values import fits, nearest, shorten, written
from peft_engine.config.document import Document, Path
from peft_engine.config.foreign import foreign_names, foreign_value
from peft_engine.config.nodes import Mapping, Scalar, Sequence, effective_entries, target
from peft_engine.config.schema import Key, Section, language, walk
from peft_schemas.findings import Fix, TextEdit


def homes(name: str) -> list[tuple[str, Key]]:
    """Return every key of the language with a name, with its dotted path."""
    return [(path, key) for path, key in walk() if key.name == name]


def meant_paths(stray: StrayKey) -> Iterator[Path]:
    """Yield the paths of the keys that a stray one was probably to be."""
    foreign = foreign_names().get(stray.entry.name)
    if foreign is not None:
        yield (foreign.path.split(".")[0].removesuffix("[]"),)
        yield tuple(foreign.path.replace("[]", "").split("."))
    elif stray.entry.name in language().keys:
        yield (stray.entry.name,)
    near = (
        foreign.path.rpartition(".")[2] if foreign is not None else nearest(stray.entry.name, list(stray.section.keys))
    )
    if near is not None:
        yield (*stray.path[:-1], near)


def place_name(path: str) -> str:
    """Say where a dotted path's key stands: `training`, `an entry of datasets`, or `the top level`."""
    holder = path.rpartition(".")[0]
    if not holder:
        return "the top level"
    return f"an entry of `{holder.removesuffix('[]')}`" if holder.endswith("[]") else f"`{holder}`"


def same_section(stray: StrayKey, path: str) -> bool:
    """Tell whether a dotted path's key belongs to the section where a stray key stands."""
    return (
        ".".join("[]" if isinstance(part, int) else part for part in stray.path[:-1]).replace(".[]", "[]")
        == path.rpartition(".")[0]
    )


def rename(document: Document, stray: StrayKey, key: Key) -> Fix | None:
    """Return the fix that gives a stray key another name of its own section, None when that would be wrong too."""
    text = _meant_value(document, stray, key)
    if text is None or stray.via is not None or has_key(stray.mapping, key.name):
        return None
    node, value = stray.entry.key, stray.entry.value
    edits = [TextEdit(range=document.range(node), newText=key.name)]
    if text == value_text(document, stray.entry):
        return Fix(title=f"Rename to `{key.name}`", edits=edits)
    edits.append(TextEdit(range=document.range(value), newText=text))
    return Fix(title=f"Write `{key.name}: {text}`", edits=edits)


def move(document: Document, stray: StrayKey, path: str, key: Key) -> Fix | None:
    """Return the fix that moves a stray key to where the language has it, None when that is not safe.

    Args:
        document: The document.
        stray: The key.
        path: The dotted path of the key's right place.
        key: What stands there; its name may differ from the stray one's.
    """
    entry, value = stray.entry, _meant_value(document, stray, key)
    if value is None or stray.via is not None or not document.is_sound:
        return None
    if contains_anchor(document, entry.start, entry.end):
        return None
    if not is_one_line(document, entry):
        return _move_lines(document, stray, path, key)
    deletion = _deletion(document, stray)
    text = f"{key.name}: {value}"
    insertion = None if deletion is None else _insertion(document, path, key, text, stray)
    if deletion is None or insertion is None:
        return None
    comments = _comments_within(document, deletion)
    if len(comments) > 1:  # they are about the section, which goes with its only key
        return None
    edits = _commented(document, insertion, comments[0]) if comments else [insertion]
    return Fix(title=_title(path, key), edits=_joined(document, deletion, edits))


def _move_lines(document: Document, stray: StrayKey, path: str, key: Key) -> Fix | None:
    """Return the fix that moves a section with its lines and their comments to the top level."""
    root, entry, source = target(document.root), stray.entry, document.source
    if "." in path or not isinstance(root, Mapping) or root.flow or stray.mapping.flow or has_key(root, key.name):
        return None
    deletion = _deletion(document, stray)
    first, last = source.line_of(entry.start), source.line_of(entry.end)
    column = entry.start - source.line_start(first)
    lines = [source.line(line) for line in range(first, last + 1)]
    # A line that stands further left, as a comment may, or the dash of a list's entry cannot be moved along.
    if deletion is None or any(line[:column].strip() for line in lines):
        return None
    own = f"{key.name}{lines[0][column + len(source.text[entry.key.start : entry.key.end]) :]}"
    insertion = insert_root_key(document, "\n".join([own, *(line[column:] for line in lines[1:])]))
    return None if insertion is None else Fix(title=_title(path, key), edits=_joined(document, deletion, [insertion]))


def _title(path: str, key: Key) -> str:
    return f"Move to {place_name(path).replace('`', '')} as `{key.name}`"


def _meant_value(document: Document, stray: StrayKey, key: Key) -> str | None:
    """Return what is to stand behind a key that a stray one was meant for, None when the key would not take it."""
    name, value = stray.entry.name, stray.entry.value
    foreign = foreign_names().get(name)
    if foreign is not None and isinstance(value, Scalar) and foreign.path.rpartition(".")[2] == key.name:
        ours = foreign_value(name, value.value)
        if ours is not None:
            return written(ours)
    return value_text(document, stray.entry) if fits(key, value) else None


def removal(document: Document, stray: StrayKey) -> Iterator[Fix]:
    """Yield the fix that deletes a stray key, with its section when it is the only one there."""
    edit = _deletion(document, stray) if document.is_sound and stray.via is None else None
    if edit is not None:
        yield Fix(title=f"Delete `{shorten(stray.entry.name)}`", edits=[edit])


def _deletion(document: Document, stray: StrayKey) -> TextEdit | None:
    if len(stray.mapping.entries) > 1 or not has_entry(stray.mapping, stray.entry):
        return delete_entry(document, stray.mapping, stray.entry)
    root = target(document.root)
    holder = stray.path[0]
    key = language().keys.get(str(holder))
    if len(stray.path) != 2 or key is None or key.required or not isinstance(root, Mapping):
        return None
    entry = next((entry for entry in root.entries if entry.name == holder), None)
    return None if entry is None else delete_entry(document, root, entry)


def _insertion(document: Document, path: str, key: Key, text: str, stray: StrayKey) -> TextEdit | None:
    holder = path.rpartition(".")[0]
    root = target(document.root)
    if not isinstance(root, Mapping):
        return None
    if not holder:
        return None if has_key(root, key.name) else insert_root_key(document, text)
    name, is_list = holder.removesuffix("[]"), holder.endswith("[]")
    if "." in name:  # a section within a section: what is moved there seldom belongs there
        return None
    entry = next((entry for entry in root.entries if entry.name == name), None)
    if entry is None:
        section = language().keys[name].section
        if section is None or _lacks_required(section, key) or has_key(root, name):
            return None
        return insert_root_key(document, f"{name}:\n  - {text}" if is_list else f"{name}:\n  {text}")
    if contains_anchor(document, entry.start, entry.end):
        return None
    value = entry.value
    if is_list:
        value = (list_entry(value) if isinstance(value, Sequence) else None) or value
    if isinstance(value, Mapping):
        return None if has_key(value, key.name) or value is stray.mapping else insert_key(document, value, text)
    return insert_below(document, entry, text) if value.start == value.end and not is_list else None


def _lacks_required(section: Section, key: Key) -> bool:
    return any(other.required and other.name != key.name for other in section.keys.values())


def has_key(mapping: Mapping, name: str) -> bool:
    """Tell whether a mapping has a key, merged ones included."""
    return any(effective.entry.name == name for effective in effective_entries(mapping))


def _comments_within(document: Document, deletion: TextEdit) -> list[str]:
    source = document.source
    first, last = source.offset(deletion.range.start), source.offset(deletion.range.end)
    return [source.text[start:end] for start, end in document.comments if first <= start < last]


def _commented(document: Document, insertion: TextEdit, comment: str) -> list[TextEdit]:
    """Return the edits that insert a key with its comment: behind it, or above a mapping in brackets."""
    text = insertion.newText
    if "\n" in text:
        line_end = text[len(text.rstrip("\r\n")) :]
        return [insertion.model_copy(update={"newText": f"{text.removesuffix(line_end)}  {comment}{line_end}"})]
    source = document.source
    root = target(document.root)
    entries = root.entries if isinstance(root, Mapping) else ()
    at = source.offset(insertion.range.start)
    section = next(entry.start for entry in reversed(entries) if entry.start <= at)
    above = source.line_start(source.line_of(section))
    end = "\r\n" if "\r\n" in source.text else "\n"
    return [replace_span(document, above, above, f"{source.text[above:section]}{comment}{end}"), insertion]


def _joined(document: Document, deletion: TextEdit, insertions: list[TextEdit]) -> list[TextEdit]:
    """Return all edits, as one where the text goes in at the place that is deleted, since edits must not overlap."""
    source = document.source
    start, end = source.offset(deletion.range.start), source.offset(deletion.range.end)
    insertion = insertions[-1]
    if not start <= source.offset(insertion.range.start) <= end:
        return [deletion, *insertions]
    deleted = source.text[start:end]
    line_end = deleted[len(deleted.rstrip("\r\n")) :]
    leading = "" if line_end or not start else "\n"
    text = leading + insertion.newText.strip("\r\n") + line_end
    return [TextEdit(range=deletion.range, newText=text)]
