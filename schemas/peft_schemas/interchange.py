"""A config that is translated from or to another tool's language, and what comes of it."""

from typing import Literal

from peft_schemas.base import Word
from peft_schemas.findings import FileFinding


class ImportParams(Word):
    """Translate another tool's config. Nothing is written; the text goes to the editor."""

    tool: Literal["axolotl", "llamafactory", "torchtune", "oumi", "trl"]
    path: str


class ConfigExportParams(Word):
    """Write a config as another tool's: as it is in the editor when it is open there, else as it is on disk."""

    tool: Literal["axolotl", "llamafactory", "trl"]
    uri: str


class TranslationReport(Word):
    """The whole answer of `peftw import --json` and `peftw export --json`."""

    config: str
    """The text of the new config; empty when the file was refused."""

    findings: list[FileFinding]
    """What is not the same in both, at its place in the file that was translated."""
