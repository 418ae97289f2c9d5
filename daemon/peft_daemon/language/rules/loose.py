"""Lines that were meant as `key: value`, or as a comment, and lack a character."""

import re
from functools import cache
from typing import NamedTuple

from peft_daemon.language.rules.values import shorten
from peft_daemon.language.rules.wordings import plainly
from peft_engine.config.schema import walk

_PAIR = re.compile(r"([A-Za-z][\w-]*)(?:( *= *|\s*\uff1a\s*|:|\s+)(\S[^\r\n]*)?)?")
_ENTRY = re.compile(r"(-(?=\w)|--+|[\u2010-\u2015\u2022*+]+) *(([A-Za-z][\w-]*):(?:\s[^\r\n]*)?)")
_COMMENT = re.compile(r"(?://+|/\*+)\s*([^\r\n]*?)\s*(?:\*/)?")


class Mended(NamedTuple):
    """What a line lacks, and the line with it."""

    message: str
    text: str


def mend(text: str) -> Mended | None:
    """Return how a line that YAML reads as a text was meant, None when that cannot be told."""
    if comment := _COMMENT.fullmatch(text):
        return Mended("A comment begins with `#`.", f"# {comment[1]}".rstrip())
    if (entry := _ENTRY.fullmatch(text)) and entry[3] in _names():
        begins = f"A list's entry begins with a dash and a space, not with `{entry[1]}`."
        return Mended("A space is missing behind the dash." if entry[1] == "-" else begins, f"- {entry[2]}")
    pair = _PAIR.fullmatch(text)
    if pair is None or pair[1] not in _names():
        return None
    name, sign, value = pair[1], pair[2] or "", pair[3] or ""
    if not plainly(value):
        value = ""
    mended = f"{name}: {value}".rstrip()
    if "\uff1a" in sign:
        return Mended(f"The colon behind `{name}` is a full-width one, which YAML does not take for a colon.", mended)
    if not value and name not in _sections():
        return None
    if "=" in sign:
        return Mended(f"`{name}` takes its value behind a colon, not behind `=`.", mended)
    if sign == ":":
        return Mended(f"A space is missing behind the colon in `{shorten(text)}`.", mended)
    return Mended(f"A colon is missing behind `{name}`.", mended)


@cache
def _names() -> frozenset[str]:
    return frozenset(key.name for _, key in walk())


@cache
def _sections() -> frozenset[str]:
    return frozenset(key.name for _, key in walk() if key.section is not None)
