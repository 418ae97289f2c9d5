"""The one check behind the editor, `peftw check` and every launch."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from peft_daemon.language.binding import bind
from peft_daemon.language.context import NOTHING_KNOWN, CheckContext, gather
from peft_daemon.language.rules.registry import rules
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import Document, parse
from peft_engine.config.read import read_source
from peft_engine.config.resolve import ResolvedConfig, resolve
from peft_engine.config.text import SourceText
from peft_schemas.findings import FileFinding, Finding

MAX_FINDINGS = 500
"""Findings of one document that are reported. A file with more is not a config, and an editor would choke on them."""


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
    """Return the findings of a document, in the order of its text: all of them, or the first `MAX_FINDINGS`.

    Pure: the same document and context give the same findings.
    """
    subject = Subject(document, bind(document), context)
    findings = [finding for rule in rules() for finding in islice(rule.find(subject, rule), MAX_FINDINGS)]
    return sorted(findings, key=_place)[:MAX_FINDINGS]


def check_text(text: str, context: CheckContext = NOTHING_KNOWN) -> list[Finding]:
    """Return every finding of a text."""
    return check_document(parse(SourceText(text)), context)


def check_file(path: Path) -> CheckedFile:
    """Read a config file, look at the files that it names, and judge it.

    Raises:
        WorkbenchError: There is no such file, or it cannot be opened (`config-missing`).
    """
    source = read_source(path)
    document = parse(source)
    findings = check_document(document, gather(document, path))
    resolved = None
    if not any(finding.severity == "error" for finding in findings):
        resolved = resolve(document.to_plain(), source=path)
    of_file = [FileFinding(path=str(path), **dict(finding)) for finding in findings]
    return CheckedFile(path, source.text, of_file, resolved)


def _place(finding: Finding) -> tuple[int, int, int, int, str]:
    start, end = finding.range.start, finding.range.end
    return start.line, start.character, end.line, end.character, finding.code
