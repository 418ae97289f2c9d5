"""Family `scalars`: values that YAML 1.1 reads otherwise, and with it the tools that read configs with PyYAML.

A config often comes from such a tool, goes to one, or is written by someone who is used to one. The language reads
YAML 1.2; where both readings agree, nothing is said.
"""

import re
from collections.abc import Iterator

from peft_daemon.language.binding import BoundKey
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import faults, shorten, written
from peft_daemon.language.rules.wordings import unusual_character
from peft_engine.config.nodes import Alias, Node, Scalar, Sequence, target
from peft_engine.config.yaml11 import Special, yaml11_value
from peft_schemas.findings import Finding

_FAMILY = "scalars"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
_DECEIVING = re.compile("^[\u2018\u201c\u201e\u00ab]|[\u2019\u201d\u201c\u00bb]$|[\u00a0\u200b\u2060\ufeff]")
"""Quotes around a text, and blanks that cannot be seen or told from a space. Emoji need joiners, which are left out."""

_READERS = "PyYAML, which Axolotl and TRL read configs with,"


@rule(
    "PW201",
    "information",
    _FAMILY,
    "A number is written in a form that YAML 1.1 takes for text.",
    why="PyYAML wants a dot and a signed exponent: `1e-4` is a text to it, and training fails where it is compared.",
    advice="Write the number in the form that every reader takes for a number; the fix does.",
    example=_BASE + "training:\n  learning_rate: 1e-4\n",
    source="YAML 1.1, type float; LLaMA-Factory issues 4014 and 4149; TRL pull request 1450",
    judges="part",
)
def number_read_as_text(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find numbers such as `1e-4`, `.5e3`, `0o14` and `09`."""
    for bound, node, value in _plain_scalars(subject):
        if _is_number(value.value) and isinstance(yaml11_value(value.raw), str):
            better = _written_for_all(value.value)
            message = f"{_READERS} takes `{shorten(value.raw)}` for a text; `{better}` is a number everywhere."
            yield _of(subject, this, bound, node, message, better)


@rule(
    "PW202",
    "information",
    _FAMILY,
    "A number means another number in YAML 1.1.",
    why="YAML 1.1 counts in eights behind a leading zero: `014` is 12 to PyYAML and 14 here.",
    advice="Write the number without the leading zero, as the fix does, or as the other number if you meant that.",
    example=_BASE + "training:\n  seed: 014\n",
    source="YAML 1.1, type int; YAML 1.2, section 10.3.2",
    judges="part",
)
def number_read_as_another(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find numbers with a leading zero."""
    for bound, node, value in _plain_scalars(subject):
        old = yaml11_value(value.raw)
        if _is_number(value.value) and _is_number(old) and old != value.value:
            better = written(value.value)
            message = f"{_READERS} takes `{shorten(value.raw)}` for {written(old)}; here it is {better}."
            yield _of(subject, this, bound, node, message, better)


@rule(
    "PW203",
    "information",
    _FAMILY,
    "A text without quotes is no text in YAML 1.1.",
    why="PyYAML reads `on` as true, `1_000` as 1000, `12:30:45` as 45045 and `2024-01-01` as a date.",
    advice="Put the text in quotes.",
    example=_BASE + "name: 2024-01-01\n",
    source="YAML 1.1, types bool, int, float, timestamp, merge and value",
    judges="part",
)
def text_read_as_something_else(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find texts such as `on`, `1_000`, `12:30:45` and `2024-01-01`."""
    for bound, node, value in _plain_scalars(subject):
        if not isinstance(value.value, str):
            continue
        old = yaml11_value(value.raw)
        if not isinstance(old, str):
            read = old.kind if isinstance(old, Special) else f"`{written(old)}`"
            message = f"{_READERS} takes `{shorten(value.raw)}` for {read}; in quotes it is a text everywhere."
            yield _of(subject, this, bound, node, message, f'"{value.raw}"')


@rule(
    "PW204",
    "warning",
    _FAMILY,
    "A text holds characters that only look like quotes, or that nobody sees.",
    why="Typographic quotes are letters to YAML, and so is a space of no width: the model or file of that name does "
    "not exist, and the name on the screen looks right.",
    advice="Write plain quotes or none, and delete what cannot be seen. In plain quotes the text is taken as it is.",
    example=_BASE.replace("gpt2", "\u201cgpt2\u201d"),
    source="YAML 1.2, section 7.3",
    judges="part",
)
def text_not_as_it_looks(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find plain texts within typographic quotes, and with zero-width or no-break spaces in them."""
    if subject.document.source.text.isascii():
        return
    for bound, node, value in _plain_scalars(subject):
        if value.raw.isascii() or not isinstance(value.value, str) or not _DECEIVING.search(value.raw):
            continue
        better = _DECEIVING.sub("", value.raw.replace("\u00a0", " ")).strip()
        message = f"{unusual_character(value.raw, _DECEIVING)} is a part of this text, which YAML takes as it stands."
        yield _of(subject, this, bound, node, message[0].upper() + message[1:], written(better) if better else "''")


def _plain_scalars(subject: Subject) -> tuple[tuple[BoundKey, Node, Scalar], ...]:
    """Return the values that are written without quotes and that their key takes; the others have findings already."""
    if _plain_scalars not in subject.shared:
        subject.shared[_plain_scalars] = tuple(_find_plain_scalars(subject))
    known: tuple[tuple[BoundKey, Node, Scalar], ...] = subject.shared[_plain_scalars]
    return known


def _find_plain_scalars(subject: Subject) -> Iterator[tuple[BoundKey, Node, Scalar]]:
    for bound in subject.binding.values():
        node = bound.entry.value
        value = target(node)
        nodes = value.items if isinstance(value, Sequence) else (node,)
        for item in nodes:
            scalar = target(item)
            if not isinstance(scalar, Scalar) or scalar.style != "plain" or scalar.tag is not None:
                continue
            if (_may_differ(scalar) or not scalar.raw.isascii()) and not faults(bound.key, node):
                yield bound, item, scalar


def _may_differ(scalar: Scalar) -> bool:
    """Tell the few scalars that need a closer look from words and plain whole numbers, on which all agree."""
    first = scalar.raw[:1]
    if isinstance(scalar.value, str):
        return first.isdigit() or first in "+-.=<yYnNoO"
    return _is_number(scalar.value) and not (scalar.raw.isdecimal() and (first != "0" or scalar.raw == "0"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written_for_all(number: object) -> str:
    """Write a number so that YAML 1.1 takes it for one as well, which needs a sign in the exponent."""
    text = written(number)
    return text if "e-" in text else text.replace("e", "e+")


def _of(subject: Subject, this: Rule, bound: BoundKey, node: Node, message: str, better: str) -> Finding:
    range_, related = value_place(subject.document, node, bound.via)
    own = bound.via is None and not isinstance(node, Alias)
    fixes = [replace(f"Write `{better}`", range_, better)] if own else []
    return this.at(message, range_, related=related, fixes=fixes)
