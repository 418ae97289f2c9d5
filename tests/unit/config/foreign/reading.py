"""Importing a text and looking at what came of it."""

from pathlib import Path
from typing import Any

from peft_engine.config.document import parse
from peft_engine.config.foreign.tables import Tool
from peft_engine.config.foreign.translate import Imported, import_config
from peft_engine.config.resolve import leaves
from peft_engine.config.text import SourceText
from peft_schemas.findings import Finding


def values(imported: Imported) -> dict[str, Any]:
    """Return what was written, by dotted path."""
    return dict(leaves(parse(SourceText(imported.config)).to_plain()))


def translated(tool: Tool, text: str, folder: Path | None = None) -> dict[str, Any]:
    """Return what a config becomes, by dotted path."""
    return values(import_config(tool, text, folder))


def marked(text: str, finding: Finding) -> str:
    """Return the characters that a finding is about."""
    source = SourceText(text)
    return source.text[source.offset(finding.range.start) : source.offset(finding.range.end)]


def said(tool: Tool, text: str, code: str) -> list[tuple[str, str]]:
    """Return the marked characters and the sentence of each finding with a code."""
    return [
        (marked(text, finding), finding.message)
        for finding in import_config(tool, text).findings
        if finding.code == code
    ]
