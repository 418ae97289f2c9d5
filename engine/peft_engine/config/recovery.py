"""Reading a text that is not valid YAML: name each fault once, and save what stands around it.

A text under the editor's cursor is broken most of the time. Each round asks libyaml for the first fault, records it in
plain words, and blanks the lines that it spoils, so that the rest can be judged. Offsets never change: what is masked
is replaced by as many characters.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from peft_engine.config.problems import Problem
from peft_engine.config.text import SourceText
from peft_engine.config.yaml_faults import Fault, first_fault

MAX_ROUNDS = 12
"""Faults that are named in one text; beyond them, and beyond `_MAX_WORK`, the rest is left out."""

_MAX_WORK = 600_000
"""Characters that may be parsed again, over all rounds."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]+")
_MAX_CONTROLS = 20
"""Places with control characters that are named; a file with more is no text at all."""

_ODD_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_ODD_SPACE = re.compile(f"[{_ODD_SPACES}]+")
_BEFORE_VALUE = re.compile(
    rf"(?<![^\r\n])[ {_ODD_SPACES}]*(?:-[ {_ODD_SPACES}]+)*(?:[\"']?[\w.-]+[\"']?[ {_ODD_SPACES}]*:[ {_ODD_SPACES}]*)?"
)
"""The part of a line in which blanks are YAML's own: the indentation, a dash, a key and its colon."""

# A line may end in a return alone, which `^` and `$` do not know: they are written as "no other character beside".
_TAB_INDENT = re.compile(r"(?<![^\r\n])[ ]*\t[ \t]*(?=[^\s#])")
_CONFLICT_START = re.compile(r"(?<![^\r\n])<{7}(?: [^\r\n]*)?(?![^\r\n])")
_CONFLICT_MARK = re.compile(r"(?<![^\r\n])(?:<{7}|\|{7}|={7}|>{7})(?: [^\r\n]*)?(?![^\r\n])")
_CLOSERS = re.compile(r"\s*[\]},]+\s*(#.*)?$")


@dataclass(frozen=True)
class Masked:
    """A text in which what cannot be read is masked, and why."""

    text: str
    problems: tuple[Problem, ...]


def mask_unreadable(source: SourceText) -> Masked:
    """Mask what misleads a parser even where the YAML around it is valid: control characters, odd spaces, conflicts."""
    problems = []
    text = source.text
    for match in islice(_CONTROL.finditer(text), _MAX_CONTROLS):
        named = f"U+{ord(match.group()[0]):04X}"
        message = f"The control character {named} cannot stand here."
        if match.group()[0] == "\ufffd":
            message = "The bytes here are not UTF-8 text."
        problems.append(Problem("control", message, *match.span()))
    text = _CONTROL.sub(lambda match: "_" * len(match.group()), text)
    if not text.isascii() and _ODD_SPACE.search(text):
        text, spaces = _mask_odd_spaces(text)
        problems.extend(spaces)
    if _CONFLICT_START.search(text):
        text, conflicts = _mask_conflicts(text)
        problems.extend(conflicts)
    return Masked(text, tuple(problems))


def recover(source: SourceText, text: str, is_sound: Callable[[str], bool]) -> Masked:
    """Name the faults of a text and mask them until the rest is sound, or until it has to be given up.

    Args:
        source: The text as the user wrote it, for positions.
        text: The text as masked so far.
        is_sound: Tells whether a text parses without an error.
    """
    problems: list[Problem] = []
    tabbed: set[int] = set()
    for match in _TAB_INDENT.finditer(text):
        tabs = match.start() + match.group().index("\t"), match.end()
        problems.append(Problem("tab", "This line is indented with a tab; YAML allows only spaces.", *tabs))
        tabbed.add(source.line_of(match.start()))
    text = _TAB_INDENT.sub(lambda match: match.group().replace("\t", " "), text)

    rounds = min(MAX_ROUNDS, _MAX_WORK // max(len(text), 1))
    for _ in range(rounds):
        if is_sound(text):
            break
        fault = first_fault(text)
        if fault is None:
            break
        line = source.line_of(fault.problem.start)
        # A line that was indented with a tab was already named: what follows from it is no second fault.
        if line not in tabbed:
            problems.append(fault.problem)
        masked = _blank(source, text, fault)
        if masked == text:
            break
        text = masked
    return Masked(text, tuple(problems))


def _mask_odd_spaces(text: str) -> tuple[str, list[Problem]]:
    """Read the spaces of typesetters, which come along when a config is copied from a page, as the plain ones meant."""
    problems = []
    for line in _BEFORE_VALUE.finditer(text):
        for odd in _ODD_SPACE.finditer(text, line.start(), line.end()):
            named = unicodedata.name(odd.group()[0]).lower()
            message = f"Here stands the character “{named}”; YAML counts only plain spaces."
            problems.append(Problem("space", message, *odd.span()))
    masked = _BEFORE_VALUE.sub(lambda line: _ODD_SPACE.sub(lambda odd: " " * len(odd.group()), line.group()), text)
    return masked, problems[:_MAX_CONTROLS]


def _mask_conflicts(text: str) -> tuple[str, list[Problem]]:
    """Keep the first side of each conflict."""
    problems: list[Problem] = []
    keep: list[str] = []
    position, dropping = 0, False
    for mark in _CONFLICT_MARK.finditer(text):
        kind = mark.group()[0]
        between = text[position : mark.start()]
        keep.append(_spaces(between) if dropping else between)
        if kind == "<":
            message = "A merge conflict is not resolved here: keep one side and delete the markers."
            problems.append(Problem("conflict", message, *mark.span()))
        # `=======` alone may underline a heading in a text, so it counts only inside a conflict.
        inside = kind == "<" or bool(problems)
        keep.append(_spaces(mark.group()) if inside else mark.group())
        dropping = (kind in "|=" and inside) if kind != "<" else False
        position = mark.end()
    rest = text[position:]
    keep.append(rest)
    return "".join(keep), problems


def _blank(source: SourceText, text: str, fault: Fault) -> str:
    """Blank the lines of a fault and those that hang on them."""
    first = source.line_of(fault.first)
    last = max(source.line_of(fault.last), first)
    indent = _indent(source.line(first))
    line = last + 1
    while line < source.line_count:
        written = text[source.line_start(line) : source.line_end(line)]
        depth = _indent(written)
        hangs = depth > indent or (fault.with_siblings and depth == indent) or _CLOSERS.fullmatch(written)
        if written.strip() and not hangs:
            break
        line += 1
    start = source.line_start(first)
    end = source.line_end(line - 1)
    return text[:start] + _spaces(text[start:end]) + text[end:]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _spaces(text: str) -> str:
    return re.sub(r"[^\r\n]", " ", text)
