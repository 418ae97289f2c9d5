"""Texts that the daemon writes for the editor to show: what a config comes to, a finding's page, the end of a log."""

from peft_schemas.base import Word
from peft_schemas.errors import ErrorReport
from peft_schemas.findings import FileFinding


class ConfigParams(Word):
    """Name a config: as it is in the editor when it is open there, else as it is on disk."""

    uri: str


class PageResult(Word):
    """A text to show, or the reasons why there is none."""

    text: str | None
    findings: list[FileFinding] = []
    error: ErrorReport | None = None


class FindingParams(Word):
    """Name a finding's code."""

    code: str
