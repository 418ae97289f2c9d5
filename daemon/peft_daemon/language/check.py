"""The one check behind the editor, `peftw check` and every launch."""

import sys
from dataclasses import dataclass
from pathlib import Path

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext
from peft_daemon.language.judge import judge
from peft_daemon.language.world.gather import gather
from peft_engine.config.document import Document, parse
from peft_engine.config.read import read_source
from peft_engine.config.resolve import ResolvedConfig, resolve
from peft_engine.config.text import SourceText
from peft_schemas.findings import FileFinding, Finding


@dataclass(frozen=True)
class CheckedFile:
    """A config file, judged."""

    path: Path
    text: str
    findings: list[FileFinding]
    """In the order of the text."""

    resolved: ResolvedConfig | None
    """The complete config; None when there is a finding of error severity."""


def check_document(document: Document, context: CheckContext = NOTHING_KNOWN) -> list[Finding]:
    """Return the findings of a document, in the order of its text: all of them, or the first `MAX_FINDINGS`."""
    return judge(document, context).findings


def check_text(text: str, context: CheckContext = NOTHING_KNOWN) -> list[Finding]:
    """Return every finding of a text."""
    return check_document(parse(SourceText(text)), context)


def check_file(path: Path, *, python: str = sys.executable) -> CheckedFile:
    """Read a config file, look at what it names, and judge it.

    Args:
        path: The file.
        python: The interpreter that trains.

    Raises:
        WorkbenchError: There is no such file, or it cannot be opened (`config-missing`).
    """
    source = read_source(path)
    document = parse(source)
    findings = check_document(document, gather(document, path, python=python))
    resolved = None
    if not any(finding.severity == "error" for finding in findings):
        resolved = resolve(document.to_plain(), source=path)
    of_file = [FileFinding(path=str(path), **dict(finding)) for finding in findings]
    return CheckedFile(path, source.text, of_file, resolved)
