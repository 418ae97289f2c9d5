"""Writing a config as text that reads back as the same values."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from peft_engine.config.scalars import plain_value
from peft_engine.config.schema import number_text

HEAD = ""
"""The path of the comments above everything."""

TAIL = "$"
"""The path of the comments below everything."""

_PLAIN = re.compile(r"(?!-\s|-$)[A-Za-z0-9_./~-][A-Za-z0-9_./+~ @-]*(?<! )")


@dataclass(frozen=True)
class Comment:
    """What is said about a key, each line with its `#`."""

    above: tuple[str, ...] = ()
    beside: str = ""


def to_yaml(values: Mapping[str, Any], comments: Mapping[str, Comment] | None = None) -> str:
    """Write a config in block style.

    Args:
        values: The config as plain values, in the order in which they are written.
        comments: Comments by dotted path, `datasets[0].path`; those at `HEAD` and `TAIL` frame the text.
    """
    said = comments or {}
    lines = list(said.get(HEAD, Comment()).above)
    lines += _mapping(values, "", "", said)
    lines += said.get(TAIL, Comment()).above
    return "\n".join(lines) + "\n"


def to_json(values: Mapping[str, Any]) -> str:
    """Write a config as JSON, which a YAML reader takes as well."""
    return _printable(json.dumps(values, indent=2, ensure_ascii=False)) + "\n"


def scalar_text(value: Any) -> str:
    """Write a plain value as YAML that reads back as the same value, here and by the rules of YAML 1.1."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and plain_value(text) == text and _is_text_in_yaml_1_1(text):
        return text
    return _printable(json.dumps(text, ensure_ascii=False))


def _mapping(values: Mapping[str, Any], path: str, indent: str, comments: Mapping[str, Comment]) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        comment = comments.get(here, Comment())
        lines += [f"{indent}{line}" for line in comment.above]
        beside = f"  {comment.beside}" if comment.beside else ""
        key = f"{indent}{scalar_text(name)}:"
        if isinstance(value, Mapping) and value:
            lines.append(key + beside)
            lines += _mapping(value, here, indent + "  ", comments)
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) and item for item in value):
            lines.append(key + beside)
            for index, item in enumerate(value):
                lines += _item(_mapping(item, f"{here}[{index}]", indent + "    ", comments), indent + "  ")
        else:
            lines.append(f"{key} {_flow(value)}{beside}")
    return lines


def _item(lines: list[str], indent: str) -> list[str]:
    """Put the dash of a list entry before its first key, below the comments above that key."""
    first = next(index for index, line in enumerate(lines) if not line.lstrip().startswith("#"))
    above = [indent + line.lstrip() for line in lines[:first]]
    return [*above, f"{indent}- {lines[first].lstrip()}", *lines[first + 1 :]]


def _flow(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar_text(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    return scalar_text(value)


def _float_text(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[repr(value)]
    text = number_text(value)
    return text if float(text) == value else repr(value)


@cache
def _resolver() -> Any:
    return yaml.SafeLoader("")


def _is_text_in_yaml_1_1(text: str) -> bool:
    tag: str = _resolver().resolve(yaml.ScalarNode, text, (True, False))
    return tag == "tag:yaml.org,2002:str"


def _printable(quoted: str) -> str:
    """Escape what YAML does not take as it is, and U+FFFD, which stands for bytes that could not be read.

    Beyond the first plane YAML takes everything, and JSON has no escape.
    """
    return "".join(
        f"\\u{ord(character):04x}" if character <= "\uffff" and not _is_taken(character) else character
        for character in quoted
    )


def _is_taken(character: str) -> bool:
    return character == "\n" or (character.isprintable() and character != "\ufffd")
