"""What a check says about a document, in LSP's terms: 0-based lines, UTF-16 characters."""

from typing import Literal

from peft_schemas.base import Word

Severity = Literal["error", "warning", "information", "hint"]


class Position(Word):
    """A place between two characters."""

    line: int
    """0-based line."""

    character: int
    """0-based offset in UTF-16 code units."""


class Range(Word):
    """The text from `start` up to, not including, `end`."""

    start: Position
    end: Position


class TextEdit(Word):
    """A replacement of a range by a new text."""

    range: Range
    newText: str


class Fix(Word):
    """One way to repair a finding."""

    title: str
    edits: list[TextEdit]


class Related(Word):
    """Another place that explains a finding."""

    range: Range
    message: str


class Finding(Word):
    """One fault or remark, at its exact characters."""

    code: str
    """A stable code such as `PW101`, documented in docs/reference/findings.md."""

    severity: Severity
    message: str
    """One plain sentence."""

    range: Range
    related: list[Related] = []
    fixes: list[Fix] = []


class FileFinding(Finding):
    """A finding and the file it stands in, as `peftw check --format json` prints it."""

    path: str


class CheckReport(Word):
    """The whole answer of `peftw check --format json`."""

    findings: list[FileFinding]
    summary: dict[Severity, int]
    """The number of findings of each severity; every severity is present."""
