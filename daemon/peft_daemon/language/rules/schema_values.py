"""Family `schema`, part 2: values that their key does not take, and sections of the wrong shape."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

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
    is_share_of_warmup,
    judge_plain,
    repair,
    shorten,
    written,
)
from peft_engine.bounds import bounds
from peft_engine.config.nodes import Alias, Mapping, Node, Scalar, Sequence, plain, target
from peft_engine.config.resolve import clean_name
from peft_engine.config.schema import Key
from peft_engine.config.yaml11 import yaml11_value
from peft_schemas.config import RunConfig
from peft_schemas.findings import Finding, Fix

_FAMILY = "schema"
_VERSION = ("version",)

DEFAULTS_OF_THE_METHOD = ("training.learning_rate", "method.alpha")
"""Keys whose default is computed: to write the language's own in their place could contradict the method."""

_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"


@rule(
    "PW102",
    "error",
    _FAMILY,
    "The value has the wrong type.",
    why="A text where a number belongs fails far from here, or, worse, is taken for something that it is not.",
    advice="Write a value of the type that the key takes. Numbers and `true` or `false` stand without quotes.",
    example=_BASE + "training:\n  batch_size: four\n",
    judges="part",
)
def wrong_type(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find texts where numbers belong, lists where one value belongs, and the like."""
    for bound, fault in _faults(subject, "type"):
        node = fault.node
        if bound.path == _VERSION or is_share_of_warmup(bound.path, node):
            continue
        wanted = "text" if node is not bound.entry.value and node is not target(bound.entry.value) else None
        message = (
            f"`{bound.key.name}` takes {wanted or expectation(bound.key)}, not {describe(node)}{_old_reading(node)}."
        )
        yield _of_value(subject, this, bound, fault, message)


@rule(
    "PW103",
    "error",
    _FAMILY,
    "The number is outside the range in which it has a meaning.",
    why="Beyond these bounds the number has no meaning: there is no rank below 1 and no dropout above 1.",
    advice="Choose a number in the range. The fix takes the nearest one, or the default where the bound is excluded.",
    example=_BASE + "method:\n  r: 0\n",
    judges="part",
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
    why="A value outside the list has no meaning here, and guessing a near one could train something else.",
    advice="Choose one of the listed values.",
    example=_BASE + "method:\n  type: lorra\n",
    judges="part",
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
    why="A later version may give the same keys another meaning.",
    advice="Write `version: 1`. A file of a later version needs a later PEFT Workbench.",
    example=_BASE.replace("version: 1", "version: 2"),
    judges="part",
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
    "A text is not written in the form that its key asks for.",
    why="A run's name becomes that of a folder and of an adapter, on every system and on the hub. A time has one form, "
    "so that nobody has to guess what day or hour is meant.",
    advice="For a name use letters, digits, dots, dashes and underscores, at most 64, with a letter or digit first; "
    "write a time as `2026-12-24T22:00` and a window as `22:00-06:00`.",
    example=_BASE + "name: my run!\n",
    judges="part",
)
def bad_form(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find texts that do not have the form that their key asks for."""
    for bound, fault in _faults(subject, "pattern"):
        message = (
            f"`{bound.key.name}` takes a text of the form `{bound.key.examples[0]}`, not {describe(fault.node)}."
            if bound.key.examples
            else f"`{bound.key.name}` may have letters, digits, dots, dashes and underscores, 64 at most."
        )
        value = target(fault.node)
        cleaned = clean_name(str(value.value)) if isinstance(value, Scalar) else ""
        better = written(cleaned) if judge_plain(bound.key, cleaned) is None else None
        yield _of_value(subject, this, bound, fault, message, better)


@rule(
    "PW111",
    "error",
    _FAMILY,
    "A key has no value.",
    why="A key without a value reads as nothing, and programs differ in whether that means the default.",
    advice="Write a value, or delete the key to get its default.",
    example=_BASE + "training:\n  batch_size:\n",
    judges="part",
)
def no_value(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find keys that are written without a value, or with `null`, though they need one."""
    document = subject.document
    for bound, fault in _faults(subject, "nothing"):
        message = f"`{bound.key.name}` has no value; it takes {expectation(bound.key)}."
        yield _of_value(subject, this, bound, fault, message, at_key=True)
    for misshapen in subject.binding.misshapen:
        holder = _holder(subject, misshapen)
        if holder is None or holder.key.is_list or not _is_nothing(misshapen.node) or subject.is_unread(holder):
            continue
        section = holder.key.section
        keys = ", ".join(f"`{name}`" for name in list(section.keys if section is not None else ())[:3])
        message = f"`{holder.key.name}` is empty; it holds keys such as {keys}."
        range_, related = key_place(document, holder.entry, holder.via)
        yield this.at(message, range_, related=related, fixes=_without(subject, holder, f"Delete `{holder.key.name}`"))


@rule(
    "PW112",
    "error",
    _FAMILY,
    "A text or list that must not be empty is empty.",
    why="A model without a name, or a run without data, is nothing that could be trained.",
    advice="Write at least one character, or one entry.",
    example='version: 1\nmodel:\n  base: ""\ndatasets:\n  - path: org/data\n',
    judges="part",
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
    why="Keys can be found only in a mapping, and entries only in a list.",
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
        is_entry, holder = isinstance(misshapen.path[-1], int), _holder(subject, misshapen)
        unread = not document.is_sound if holder is None else subject.is_unread(holder)
        if _is_nothing(node) and (unread or not wanted.is_list):
            continue
        wants = "a list of entries that begin with `- `" if wanted.is_list and not is_entry else "keys below it"
        message = f"{section_name(misshapen.path)} takes {wants}, not {describe(node)}."
        range_, related = value_place(document, node, misshapen.via)
        if holder is not None and range_.start == range_.end:
            range_, related = key_place(document, holder.entry, holder.via)
        yield this.at(message, range_, related=related, fixes=_reshaped(subject, misshapen, wanted))


@rule(
    "PW199",
    "error",
    _FAMILY,
    "The config model refuses the value for a reason that no other rule names.",
    why="What the model refuses cannot be run, whatever the rules say.",
    advice="Follow the sentence of the finding, and report it: every refusal should have a rule of its own.",
    example="",
    judges="part",
)
def refused_by_model(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Ask the pydantic model itself, so that nothing which it refuses can ever pass the check."""
    binding, document = subject.binding, subject.document
    if binding.stray or binding.misshapen or not document.is_sound or subject.faults:
        return
    incomplete = {absent.path[0] for absent in binding.absent if len(absent.path) > 1}
    for bound in binding.known:
        if len(bound.path) > 1 or bound.path[0] in incomplete or (bound.key.is_list and not _items(bound)):
            continue
        try:
            _adapter(bound.key.name).validate_python(plain(bound.entry.value), strict=True)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = (*bound.path, *(part for part in detail["loc"] if isinstance(part, str | int)))
                place = document.find(path)
                range_ = document.range(place.value if place else bound.entry.value)
                yield this.at(f"{dotted(path)}: {detail['msg']}.", range_)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    """Return what validates the value of one top-level key."""
    field = RunConfig.model_fields[name]
    annotated: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotated)


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
        elif (
            bound.key.types == ("text",)
            and not isinstance(node.value, str | None)
            and judge_plain(bound.key, node.raw) is None
        ):
            title, better = "Put it in quotes", written(node.raw)
        else:
            found = repair(bound.key, node.value, bounds().limits.get(dotted(bound.path)))
            if found is not None and found.is_default and dotted(bound.path) in DEFAULTS_OF_THE_METHOD:
                title = f"Delete `{bound.key.name}`, whose default follows from the method"
                return _without(subject, bound, title)
            title, better = (found.title, found.text) if found is not None else ("", None)
    if better is None:
        return []
    space = " " if node.style == "empty" else ""
    return [Fix(title=title, edits=[replace_span(subject.document, node.start, node.end, space + better)])]


def _old_reading(node: Node) -> str:
    """Say what YAML 1.1 makes of a plain text, where that explains why it was written so: `yes`, `1_000`."""
    value = target(node)
    if not isinstance(value, Scalar) or not isinstance(value.value, str) or value.style != "plain":
        return ""
    old = yaml11_value(value.raw)
    if not isinstance(old, bool | int | float):
        return ""
    return f", which means `{written(old)}` in YAML 1.1 only"


def _is_nothing(node: Node) -> bool:
    value = target(node)
    return isinstance(value, Scalar) and (value.value is None or value.style == "empty")


def _holder(subject: Subject, misshapen: Misshapen) -> BoundKey | None:
    """Return the key whose own value is misshapen; None for the root and for entries of a list."""
    return subject.binding.at(misshapen.path)


def _items(bound: BoundKey) -> bool:
    value = target(bound.entry.value)
    return isinstance(value, Sequence) and bool(value.items)


def _without(subject: Subject, bound: BoundKey, title: str) -> list[Fix]:
    """Return the fix that deletes a key, with its section when it is the only one there; none where one is required."""
    place = subject.document.find(bound.path[:-1])
    mapping = target(place.value) if place is not None else None
    if bound.key.required or bound.via is not None or not isinstance(mapping, Mapping):
        return []
    holder = subject.binding.at(bound.path[:-1])
    if len(mapping.entries) == 1 and holder is not None:
        return _without(subject, holder, title)
    edit = delete_entry(subject.document, mapping, bound.entry, even_last=len(bound.path) == 1)
    return [] if edit is None else [Fix(title=title, edits=[edit])]


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
