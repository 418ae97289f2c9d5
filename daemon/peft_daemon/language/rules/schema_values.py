"""Family `schema`, part 2: values that their key does not take, and sections of the wrong shape."""

from collections.abc import Iterator

from pydantic import ValidationError

from peft_daemon.language.binding import BoundKey, Misshapen
from peft_daemon.language.rules.edits import contains_anchor, delete_entry, replace_span
from peft_daemon.language.rules.places import dotted, key_place, section_name, value_place
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import (
    Fault,
    FaultKind,
    describe,
    expectation,
    fits,
    judge_plain,
    repair,
    shorten,
    written,
)
from peft_engine.config.nodes import Alias, Mapping, Node, Scalar, Sequence, target
from peft_engine.config.resolve import clean_name
from peft_engine.config.schema import Key
from peft_schemas.config import RunConfig
from peft_schemas.findings import Finding, Fix

_FAMILY = "schema"
_VERSION = ("version",)
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"


@rule(
    "PW102",
    "error",
    _FAMILY,
    "The value has the wrong type.",
    advice="Write a value of the type that the key takes. Numbers and `true` or `false` stand without quotes.",
    example=_BASE + "training:\n  batch_size: four\n",
)
def wrong_type(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find texts where numbers belong, lists where one value belongs, and the like."""
    for bound, fault in _faults(subject, "type"):
        node = fault.node
        if bound.path == _VERSION:
            continue
        wanted = "text" if node is not bound.entry.value and node is not target(bound.entry.value) else None
        message = f"`{bound.key.name}` takes {wanted or expectation(bound.key)}, not {describe(node)}."
        yield _of_value(subject, this, bound, fault, message)


@rule(
    "PW103",
    "error",
    _FAMILY,
    "The number is outside the range in which it has a meaning.",
    advice="Choose a number in the range. The fix takes the nearest one, or the default where the bound is excluded.",
    example=_BASE + "method:\n  r: 0\n",
)
def out_of_range(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find numbers beyond the bounds of their key."""
    for bound, fault in _faults(subject, "range"):
        value = target(fault.node)
        raw = shorten(value.raw) if isinstance(value, Scalar) else "this"
        message = f"`{bound.key.name}` must be {bound.key.bounds}; {raw} is not."
        yield _of_value(subject, this, bound, fault, message)


@rule(
    "PW105",
    "error",
    _FAMILY,
    "The value is not one of those that the key takes.",
    advice="Choose one of the listed values.",
    example=_BASE + "method:\n  type: lorra\n",
)
def bad_choice(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find values outside a closed list."""
    for bound, fault in _faults(subject, "choice"):
        if bound.path == _VERSION:
            continue
        message = f"`{bound.key.name}` is {expectation(bound.key)}, not {describe(fault.node)}."
        yield _of_value(subject, this, bound, fault, message)


@rule(
    "PW108",
    "error",
    _FAMILY,
    "The version of the config language is not one that this program reads.",
    advice="Write `version: 1`. A file of a later version needs a later PEFT Workbench.",
    example=_BASE.replace("version: 1", "version: 2"),
)
def wrong_version(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find configs of another version."""
    for kind in ("type", "choice"):
        for bound, fault in _faults(subject, kind):
            if bound.path == _VERSION:
                message = f"The version is {expectation(bound.key)}, not {describe(fault.node)}."
                yield _of_value(subject, this, bound, fault, message)


@rule(
    "PW109",
    "error",
    _FAMILY,
    "The name has characters that a name cannot have.",
    advice="Use letters, digits, dots, dashes and underscores, at most 64, with a letter or digit first.",
    example=_BASE + "name: my run!\n",
)
def bad_name(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find texts that do not have the form that their key asks for."""
    for bound, fault in _faults(subject, "pattern"):
        message = f"`{bound.key.name}` may have letters, digits, dots, dashes and underscores, 64 at most."
        value = target(fault.node)
        cleaned = clean_name(str(value.value)) if isinstance(value, Scalar) else ""
        better = written(cleaned) if judge_plain(bound.key, cleaned) is None else None
        yield _of_value(subject, this, bound, fault, message, better)


@rule(
    "PW111",
    "error",
    _FAMILY,
    "A key has no value.",
    advice="Write a value, or delete the key to get its default.",
    example=_BASE + "training:\n  batch_size:\n",
)
def no_value(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find keys that are written without a value, or with `null`, though they need one."""
    document = subject.document
    for bound, fault in _faults(subject, "nothing"):
        message = f"`{bound.key.name}` has no value; it takes {expectation(bound.key)}."
        yield _of_value(subject, this, bound, fault, message, at_key=True)
    for misshapen in subject.binding.misshapen:
        holder = _holder(subject, misshapen)
        if holder is None or holder.key.section is None or not _is_nothing(misshapen.node):
            continue
        keys = ", ".join(f"`{name}`" for name in list(holder.key.section.keys)[:3])
        message = f"`{holder.key.name}` is empty; it holds keys such as {keys}."
        range_, related = key_place(document, holder.entry, holder.via)
        yield this.at(message, range_, related=related, fixes=_without_empty(subject, holder))


@rule(
    "PW112",
    "error",
    _FAMILY,
    "A text or list that must not be empty is empty.",
    advice="Write at least one character, or one entry.",
    example='version: 1\nmodel:\n  base: ""\ndatasets:\n  - path: org/data\n',
)
def empty_value(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find empty texts and empty lists where at least one thing must stand."""
    for bound, fault in _faults(subject, "empty"):
        yield _of_value(subject, this, bound, fault, f"`{bound.key.name}` must not be empty.")
    for bound in subject.binding.known:
        value = target(bound.entry.value)
        if bound.key.is_list and isinstance(value, Sequence) and len(value.items) < bound.key.min_length:
            range_, related = value_place(subject.document, bound.entry.value, bound.via)
            yield this.at(f"`{bound.key.name}` needs at least one entry.", range_, related=related)


@rule(
    "PW107",
    "error",
    _FAMILY,
    "A section is not a mapping of keys, or a list is not a list.",
    advice="Write the section's keys below it, indented; begin each entry of a list with `- `.",
    example="version: 1\nmodel: gpt2\ndatasets:\n  - path: org/data\n",
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
        if _is_nothing(node) and _holder(subject, misshapen) is not None:
            continue
        is_entry = isinstance(misshapen.path[-1], int)
        wants = "a list of entries that begin with `- `" if wanted.is_list and not is_entry else "keys below it"
        message = f"{section_name(misshapen.path)} takes {wants}, not {describe(node)}."
        range_, related = value_place(document, node, misshapen.via)
        yield this.at(message, range_, related=related, fixes=_reshaped(subject, misshapen, wanted))


@rule(
    "PW199",
    "error",
    _FAMILY,
    "The config model refuses the value for a reason that no other rule names.",
    advice="Follow the sentence of the finding, and report it: every refusal should have a rule of its own.",
    example="",
)
def refused_by_model(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Ask the pydantic model itself, so that nothing which it refuses can ever pass the check."""
    binding, document = subject.binding, subject.document
    named = binding.stray or binding.absent or binding.misshapen or not document.is_sound
    if named or subject.faults:
        return
    if any(bound.key.is_list and not _items(bound) for bound in binding.known):
        return
    try:
        RunConfig.model_validate(document.to_plain())
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            path = tuple(part for part in detail["loc"] if isinstance(part, str | int))
            place = document.find(path)
            range_ = document.range(place.value if place else document.root)  # type: ignore[arg-type]
            yield this.at(f"{dotted(path)}: {detail['msg']}.", range_)


def _faults(subject: Subject, kind: FaultKind) -> Iterator[tuple[BoundKey, Fault]]:
    return ((bound, fault) for bound, fault in subject.faults if fault.kind == kind)


def _of_value(
    subject: Subject,
    this: Rule,
    bound: BoundKey,
    fault: Fault,
    message: str,
    better: str | None = None,
    *,
    at_key: bool = False,
) -> Finding:
    """Return the finding of a value, with the fix that writes a better one."""
    range_, related = value_place(subject.document, fault.node, bound.via)
    if at_key and range_.start == range_.end:
        range_, related = key_place(subject.document, bound.entry, bound.via)
    return this.at(message, range_, related=related, fixes=_better_value(subject, bound, fault, better))


def _better_value(subject: Subject, bound: BoundKey, fault: Fault, better: str | None) -> list[Fix]:
    node = fault.node
    # A value that came by an alias, or that others may refer to, is not this key's alone to change.
    if bound.via is not None or isinstance(node, Alias) or not isinstance(node, Scalar) or node.tag is not None:
        return []
    title = f"Change to `{better}`"
    if better is None:
        if node is not bound.entry.value:  # an entry of a list of texts
            title, better = "Put it in quotes", written(node.raw) if node.value is not None else None
        else:
            found = repair(bound.key, node.value)
            title, better = (found.title, found.text) if found is not None else ("", None)
    if better is None:
        return []
    space = " " if node.style == "empty" else ""
    return [Fix(title=title, edits=[replace_span(subject.document, node.start, node.end, space + better)])]


def _is_nothing(node: Node) -> bool:
    value = target(node)
    return isinstance(value, Scalar) and value.value is None


def _holder(subject: Subject, misshapen: Misshapen) -> BoundKey | None:
    """Return the key whose own value is misshapen; None for the root and for entries of a list."""
    return next((bound for bound in subject.binding.known if bound.path == misshapen.path), None)


def _items(bound: BoundKey) -> bool:
    value = target(bound.entry.value)
    return isinstance(value, Sequence) and bool(value.items)


def _without_empty(subject: Subject, bound: BoundKey) -> list[Fix]:
    place = subject.document.find(bound.path[:-1])
    mapping = target(place.value) if place is not None else None
    if bound.key.required or bound.via is not None or not isinstance(mapping, Mapping):
        return []
    edit = delete_entry(subject.document, mapping, bound.entry)
    return [] if edit is None else [Fix(title=f"Delete `{bound.key.name}`", edits=[edit])]


def _reshaped(subject: Subject, misshapen: Misshapen, wanted: Key) -> list[Fix]:
    """Return the fix that puts a single value under the section's first key: `model: x` means `model: {base: x}`."""
    document, node = subject.document, misshapen.node
    if misshapen.via is not None or wanted.section is None or contains_anchor(document, node.start, node.end):
        return []
    text = document.source.text[node.start : node.end]
    is_entry = isinstance(misshapen.path[-1], int)
    needs_list = wanted.is_list and not is_entry
    if isinstance(node, Mapping) and node.flow and needs_list and "\n" not in text:
        inside = Sequence(node.start, node.end, (node,), flow=True)
        fixed = f"[{text}]" if fits(wanted, inside) else None
        return [replace("Make it a list", document.range(node), fixed)] if fixed is not None else []
    first = next(iter(wanted.section.keys.values()))
    alone = all(not key.required or key is first for key in wanted.section.keys.values())
    if not isinstance(node, Scalar) or node.tag or "\n" in text or not alone or not fits(first, node):
        return []
    value = text if node.style in ("single", "double") else written(node.value)
    fixed = f"{{{first.name}: {value}}}"
    title = f"Write it as `{first.name}`"
    return [replace(title, document.range(node), f"[{fixed}]" if needs_list else fixed)]
