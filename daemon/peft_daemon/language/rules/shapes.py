"""Family `schema`, part 4: sections and lists of the wrong shape."""

from collections.abc import Iterator

from peft_daemon.language.binding import BoundKey, Misshapen
from peft_daemon.language.rules.edits import contains_anchor, replace_span
from peft_daemon.language.rules.loose import Mended, mend
from peft_daemon.language.rules.places import key_place, section_name, value_place
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import describe, fits, shorten, written
from peft_engine.config.document import Document
from peft_engine.config.nodes import Mapping, Node, Scalar, Sequence, target
from peft_engine.config.schema import Key, Section
from peft_schemas.findings import Finding, Fix

_FAMILY = "schema"


def is_nothing(node: Node) -> bool:
    """Tell whether nothing is written, or a word that stands for nothing."""
    value = target(node)
    return isinstance(value, Scalar) and (value.value is None or value.style == "empty")


def holder_of(subject: Subject, misshapen: Misshapen) -> BoundKey | None:
    """Return the key whose own value is misshapen; None for the root and for entries of a list."""
    return subject.binding.at(misshapen.path)


@rule(
    "PW107",
    "error",
    _FAMILY,
    "A section is not a mapping of keys, or a list is not a list.",
    why="Keys can be found only in a mapping, and entries only in a list.",
    advice="Write the section's keys below it, indented; begin each entry of a list with `- `.",
    example="version: 1\nmodel: gpt2\ndatasets:\n  - path: org/data\n",
    judges="keys",
)
def wrong_shape(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find single values and lists where keys belong, and the other way round."""
    document = subject.document
    for misshapen in subject.binding.misshapen:
        node, wanted = misshapen.node, misshapen.wanted
        if wanted is None:
            start = node.start
            end = min(node.end, document.source.line_end(document.source.line_of(start)))
            message = f"A config is a mapping of keys such as `version` and `model`, not {describe(node)}."
            yield this.at(message, document.source.range(start, end))
            continue
        is_entry, holder = isinstance(misshapen.path[-1], int), holder_of(subject, misshapen)
        unread = not document.is_sound if holder is None else subject.is_unread(holder)
        if is_nothing(node) and (unread or not wanted.is_list):
            continue
        wants = "a list of entries that begin with `- `" if wanted.is_list and not is_entry else "keys below it"
        message = f"{section_name(misshapen.path)} takes {wants}, not {describe(node)}."
        range_, related = value_place(document, node, misshapen.via)
        if holder is not None and range_.start == range_.end:
            range_, related = key_place(document, holder.entry, holder.via)
        meant = _meant(document, node) if misshapen.via is None else None
        if meant is not None:
            fix = replace(f"Write `{shorten(meant.text)}`", range_, meant.text)
            yield this.at(meant.message, range_, related=related, fixes=[fix])
            continue
        fixes = [] if misshapen.via is not None else _reshaped(document, node, wanted, is_entry=is_entry)
        yield this.at(message, range_, related=related, fixes=fixes)


def _meant(document: Document, node: Node) -> Mended | None:
    """Return how a text in the place of keys was meant, or a mapping of one key in the place of a list."""
    text = document.source.text[node.start : node.end]
    is_loose = node.style == "plain" if isinstance(node, Scalar) else isinstance(node, Mapping) and not node.flow
    return mend(text) if is_loose and "\n" not in text else None


def _reshaped(document: Document, node: Node, wanted: Key, *, is_entry: bool) -> list[Fix]:
    """Return the fix that gives a value the shape of its key, none where that would bring other findings."""
    if wanted.section is None or contains_anchor(document, node.start, node.end):
        return []
    needs_list = wanted.is_list and not is_entry
    if isinstance(node, Mapping) and needs_list:
        return _as_list(document, node, wanted)
    if isinstance(node, Sequence) and not needs_list:
        return _as_mapping(document, node, wanted)
    return _under_first_key(document, node, wanted.section, needs_list=needs_list) if isinstance(node, Scalar) else []


def _as_list(document: Document, node: Mapping, wanted: Key) -> list[Fix]:
    """Return the fix that makes a mapping the only entry of a list."""
    text = document.source.text[node.start : node.end]
    if not fits(wanted, Sequence(node.start, node.end, (node,), flow=node.flow)) or (node.flow and "\n" in text):
        return []
    if node.flow:
        return [replace("Make it a list", document.range(node), f"[{text}]")]
    source = document.source
    first, last = source.line_of(node.start), source.line_of(node.end)
    edits = [replace_span(document, node.start, node.start, "- ")]
    for line in range(first + 1, last + 1):
        if source.line(line).strip():
            edits.append(replace_span(document, source.line_start(line), source.line_start(line), "  "))
    return [Fix(title="Make it a list", edits=edits)]


def _as_mapping(document: Document, node: Sequence, wanted: Key) -> list[Fix]:
    """Return the fix that takes the dashes from a list of keys: `- seed: 1` means `seed: 1`."""
    items = [item for item in node.items if isinstance(item, Mapping) and not item.flow]
    entries = tuple(entry for item in items for entry in item.entries)
    if node.flow or len(items) < len(node.items) or not fits(wanted, Mapping(node.start, node.end, entries, False)):
        return []
    source, edits, columns = document.source, [], set()
    for item in items:
        start = source.line_start(source.line_of(item.start))
        before = source.text[start : item.start]
        dash = start + before.find("-")
        columns.add(item.start - start)
        if before.strip() != "-":  # the dash stands on a line of its own, or within another list
            return []
        edits.append(replace_span(document, dash, dash + 1, " "))
    return [Fix(title="Make it keys", edits=edits)] if len(columns) == 1 else []


def _under_first_key(document: Document, node: Scalar, section: Section, *, needs_list: bool) -> list[Fix]:
    """Return the fix that puts a single value under the section's first key: `model: x` means `model: {base: x}`."""
    text = document.source.text[node.start : node.end]
    first, *others = section.keys.values()
    alone = not any(key.required for key in others)
    if node.tag or "\n" in text or not alone or not fits(first, node):
        return []
    value = text if node.style in ("single", "double") else written(node.value)
    fixed = f"{{{first.name}: {value}}}"
    title = f"Write it as `{first.name}`"
    return [replace(title, document.range(node), f"[{fixed}]" if needs_list else fixed)]
