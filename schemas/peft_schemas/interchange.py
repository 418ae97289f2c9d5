"""What comes of a config that is translated from or to another tool's language."""

from peft_schemas.base import Word
from peft_schemas.findings import FileFinding


class TranslationReport(Word):
    """The whole answer of `peftw import --json` and `peftw export --json`."""

    config: str
    """The text of the new config; empty when the file was refused."""

    findings: list[FileFinding]
    """What is not the same in both, at its place in the file that was translated."""
