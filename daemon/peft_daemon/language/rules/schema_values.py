"""Family `schema`, part 2: values that their key does not take."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from peft_daemon.language.binding import BoundKey
from peft_daemon.language.rules.better_values import better_value, without
from peft_daemon.language.rules.places import dotted, key_place, value_place
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.shapes import holder_of, is_nothing
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import (
    Fault,
    FaultKind,
    describe,
    expectation,
    is_share_of_warmup,
    judge_plain,
    shorten,
    written,
)
from peft_daemon.language.rules.wordings import moment_of, window_of
from peft_engine.config.nodes import Node, Scalar, Sequence, plain, target
from peft_engine.config.resolve import clean_name
from peft_engine.config.yaml11 import yaml11_value
from peft_schemas.config import RunConfig
from peft_schemas.findings import Finding

_FAMILY = "schema"
_VERSION = ("version",)
_FORMS = {"not_before": moment_of, "window": window_of}
"""How texts of a certain form are read from what people write; the others are names."""


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
    advice="Choose a number in the range. The fix takes the nearest one, or the default where the bound is excluded; "
    "for a rank, the one that goes with the strength.",
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
    why="A later version may give the same keys another meaning, so nothing of the file is taken for granted.",
    advice="Version 1 is the first, and the only one so far. A file of a later version needs a later PEFT Workbench; "
    "when there is one, older files will be brought up to it by a fix and never in silence.",
    example=_BASE.replace("version: 1", "version: 2"),
    judges="part",
)
def wrong_version(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find configs of another version."""
    for kind in ("type", "choice"):
        for bound, fault in _faults(subject, kind):
            if bound.path != _VERSION:
                continue
            value, ours = target(fault.node), bound.key.choices[0]
            number = value.value if isinstance(value, Scalar) else None
            later = isinstance(number, int | float) and not isinstance(number, bool) and number >= int(ours) + 1
            if later:
                message = (
                    f"Version {describe(fault.node).removeprefix('the number ')} of the config language is later "
                    f"than {ours}, the one that this program reads; update PEFT Workbench."
                )
            else:
                message = f"The version is {expectation(bound.key)}, not {describe(fault.node)}."
            finding = _of_value(subject, this, bound, fault, message)
            # What a later version means cannot be known, so that to call it ours would be a guess.
            yield finding.model_copy(update={"fixes": []}) if later else finding


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
        cleaned = _FORMS.get(bound.key.name, clean_name)(str(value.value)) if isinstance(value, Scalar) else ""
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
        holder = holder_of(subject, misshapen)
        if holder is None or holder.key.is_list or not is_nothing(misshapen.node) or subject.is_unread(holder):
            continue
        section = holder.key.section
        keys = ", ".join(f"`{name}`" for name in list(section.keys if section is not None else ())[:3])
        message = f"`{holder.key.name}` is empty; it holds keys such as {keys}."
        range_, related = key_place(document, holder.entry, holder.via)
        yield this.at(message, range_, related=related, fixes=without(subject, holder, f"Delete `{holder.key.name}`"))


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
    return this.at(message, range_, related=related, fixes=better_value(subject, bound, fault, better))


def _old_reading(node: Node) -> str:
    """Say what YAML 1.1 makes of a plain text, where that explains why it was written so: `yes`, `1_000`."""
    value = target(node)
    if not isinstance(value, Scalar) or not isinstance(value.value, str) or value.style != "plain":
        return ""
    old = yaml11_value(value.raw)
    if not isinstance(old, bool | int | float):
        return ""
    return f", which means `{written(old)}` in YAML 1.1 only"


def _items(bound: BoundKey) -> bool:
    value = target(bound.entry.value)
    return isinstance(value, Sequence) and bool(value.items)
