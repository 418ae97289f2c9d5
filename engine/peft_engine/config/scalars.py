"""What a YAML scalar means: the core schema of YAML 1.2, by a table of our own.

Libraries disagree here (`1e-4` is a string to PyYAML, `yes` a boolean), so the language has one reading of its own, and
it is the one of the specification.
"""

import re
from typing import Literal

PlainValue = None | bool | int | float | str
Style = Literal["plain", "single", "double", "literal", "folded", "empty"]

CORE_TAGS = frozenset({"!", "!!null", "!!bool", "!!int", "!!float", "!!str", "!!map", "!!seq"})
"""The tags that the core schema knows."""

_WORDS: dict[str, PlainValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MAX_DIGITS = 300
"""Whole numbers with more digits are read as floats: Python refuses to convert very long ones."""

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_LINE_END = re.compile(r"\r\n|\n|\r")


def plain_value(text: str) -> PlainValue:
    """Return the value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return int(text) if len(text) <= _MAX_DIGITS else float(text)
    if _PREFIXED.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def scalar_value(raw: str, style: Style, tag: str | None, parent_indent: int) -> PlainValue:
    """Return the value of a scalar as it stands in the text, quotes and block header included.

    Args:
        raw: The characters of the scalar.
        style: How it is written.
        tag: Its tag such as `!!str`, if it has one; an unknown tag makes it text.
        parent_indent: The column of the collection that holds it, -1 for none; block scalars count from it.
    """
    text = scalar_text(raw, style, parent_indent)
    if tag is None:
        return plain_value(text) if style in ("plain", "empty") else text
    value = plain_value(text)
    matches = {
        "!!null": value is None,
        "!!bool": isinstance(value, bool),
        "!!int": isinstance(value, int) and not isinstance(value, bool),
    }
    if tag == "!!float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value if matches.get(tag, False) else text


def scalar_text(raw: str, style: Style, parent_indent: int) -> str:
    """Return the characters that a scalar stands for, before they are read as a number or a word."""
    if style == "single":
        return _fold(raw[1:-1]).replace("''", "'")
    if style == "double":
        return _double_quoted(raw[1:-1])
    if style in ("literal", "folded"):
        return _block(raw, parent_indent, folded=style == "folded")
    return _fold(raw)


def _fold(text: str) -> str:
    """Join the lines of a flow scalar: one line end becomes a space, further ones stay."""
    if "\n" not in text and "\r" not in text:
        return text
    lines = _LINE_END.split(text)
    last = len(lines) - 1
    parts = [
        line.strip(" \t") if 0 < i < last else (line.rstrip(" \t") if i == 0 else line.lstrip(" \t"))
        for i, line in enumerate(lines)
    ]
    joined, breaks = parts[0], 0
    for i, part in enumerate(parts[1:], start=1):
        breaks += 1
        if part or i == last:
            joined += ("\n" * (breaks - 1) or " ") + part
            breaks = 0
    return joined


def _double_quoted(text: str) -> str:
    # Escapes are set aside while lines are folded, so that an escaped blank is not taken for one to strip.
    kept: list[str] = []

    def set_aside(match: re.Match[str]) -> str:
        kept.append(_unescape(match.group(1)))
        return "\ufdd0"

    without_joins = re.sub(r"\\(\r\n|\n|\r)[ \t]*", "\ufdd1", re.sub(_ESCAPE_BUT_JOIN, set_aside, text))
    folded = _fold(without_joins).replace("\ufdd1", "")
    remaining = iter(kept)
    return re.sub("\ufdd0", lambda _: next(remaining, ""), folded)


_ESCAPE_BUT_JOIN = re.compile(_ESCAPE.pattern.replace("|.)", r"|[^\r\n])"))


def _unescape(body: str) -> str:
    if body[0] in "xuU" and len(body) > 1:
        code = int(body[1:], 16)
        return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
    return _ESCAPES.get(body, body)


def _block(raw: str, parent_indent: int, *, folded: bool) -> str:
    header, *lines = _LINE_END.split(raw)
    indicators = header[1:].split("#")[0].strip()
    explicit = next((int(character) for character in indicators if character.isdigit()), None)
    if explicit is None:
        indents = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")]
        indent = indents[0] if indents else 0
    else:
        indent = max(parent_indent, 0) + explicit
    content = [line[indent:] if len(line) > indent else "" for line in lines]
    trailing = 0
    while content and not content[-1]:
        content.pop()
        trailing += 1
    body = _fold_block(content) if folded else "\n".join(content)
    if "-" in indicators or not (content or "+" in indicators):
        return body
    # The raw text ends behind the last line's end, so the split left one empty string for it.
    return body + "\n" * max(trailing, 1) if "+" in indicators else body + "\n"


def _fold_block(lines: list[str]) -> str:
    """Join lines by spaces, except next to blank lines and to lines that are indented further."""
    joined, pending, previous_indented = "", 0, False
    for i, line in enumerate(lines):
        if not line:
            pending += 1
            continue
        indented = line[0] in " \t"
        if i == pending:  # only blank lines before
            joined = "\n" * pending
        elif indented or previous_indented:
            joined += "\n" * (pending + 1)
        else:
            joined += "\n" * pending or " "
        joined, pending, previous_indented = joined + line, 0, indented
    return joined
