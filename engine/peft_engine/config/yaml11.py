"""What YAML 1.1, as PyYAML reads it, makes of an unquoted scalar.

Most fine-tuning tools read their configs with PyYAML, so a value that it reads otherwise than YAML 1.2 does would train
something else there. This table is held against PyYAML itself by a test; PyYAML is not asked because its resolver is
slow and its import slower.
"""

import re
from dataclasses import dataclass

from peft_engine.config.scalars import PlainValue

_BOOLEANS = {
    form: value
    for words, value in ((("yes", "true", "on"), True), (("no", "false", "off"), False))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_BINARY = re.compile(r"[-+]?0b[01_]+")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_HEXADECIMAL = re.compile(r"[-+]?0x[0-9a-fA-F_]+")
_SEXAGESIMAL = re.compile(r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+")
_SEXAGESIMAL_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*")
_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"|\d{4}-\d\d?-\d\d?([Tt]|[ \t]+)\d\d?:\d\d:\d\d(\.\d*)?([ \t]*(Z|[-+]\d\d?(:\d\d)?))?",
    re.ASCII,
)
_MAX_LENGTH = 300
"""Longer scalars are texts or no sensible numbers; Python refuses to convert very long ones."""


@dataclass(frozen=True)
class Special:
    """A YAML 1.1 value that is neither a number nor a word."""

    kind: str
    """In words, with its article: `a date`."""


DATE = Special("a date")
REFUSED = Special("something that it refuses")


def yaml11_value(text: str) -> PlainValue | Special:
    """Return what YAML 1.1 reads where an unquoted scalar stands."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _NULLS:
        return None
    if len(text) > _MAX_LENGTH or not (text[0] in "+-.=<" or text[0].isdigit()):
        return text
    if text in ("=", "<<"):
        return REFUSED
    try:
        number = _number(text)
    except ValueError:  # such as `0_`, which its pattern takes and its conversion does not
        return REFUSED
    if number is not None:
        return number
    return DATE if _DATE.fullmatch(text) else text


def _number(text: str) -> float | None:
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    bare = digits.lstrip("+-")
    if _INFINITE.fullmatch(text):
        return sign * float("inf")
    if _NAN.fullmatch(text):
        return float("nan")
    if _SEXAGESIMAL_FLOAT.fullmatch(text):
        return sign * _base_60(bare)
    if _FLOAT.fullmatch(text):
        return float(digits)
    if _BINARY.fullmatch(text):
        return sign * int(bare[2:], 2)
    if _HEXADECIMAL.fullmatch(text):
        return sign * int(bare[2:], 16)
    if _DECIMAL.fullmatch(text):
        return int(digits)
    if _OCTAL.fullmatch(text):
        return sign * int(bare, 8)
    if _SEXAGESIMAL.fullmatch(text):
        return sign * int(_base_60(bare))
    return None


def _base_60(text: str) -> float:
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total
