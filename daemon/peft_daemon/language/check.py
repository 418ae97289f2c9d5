"""The one check behind the editor, `peftw check` and every launch."""

import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from peft_daemon.language.binding import bind
from peft_daemon.language.context import NOTHING_KNOWN, CheckContext
from peft_daemon.language.ignored import without_ignored
from peft_daemon.language.rules.registry import rules_of
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.world.gather import gather
from peft_engine.config.document import Document, parse
from peft_engine.config.parts import Part
from peft_engine.config.read import read_source
from peft_engine.config.resolve import ResolvedConfig, leaves, resolve
from peft_engine.config.text import SourceText
from peft_schemas.findings import FileFinding, Finding, Fix, Position, Range, Related, TextEdit

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
    findings: list[Finding] = []
    for part, placed in document.alone:
        if of_part := _of_part(part, placed.part, context):
            findings += _placed(of_part, placed.line)
    subject = Subject(document, bind(document), context)
    for rule in rules_of("document"):
        findings += islice(rule.find(subject, rule), MAX_FINDINGS)
    return sorted(without_ignored(document, findings), key=_place)[:MAX_FINDINGS]


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


class _Judged(NamedTuple):
    """The findings of a part, and what was known when they were found."""

    context: CheckContext
    known: object
    findings: list[Finding]


def _of_part(document: Document, part: Part, context: CheckContext) -> list[Finding]:
    """Return the findings of one part, from the last time when neither it nor what is known of its files changed."""
    last: _Judged | None = part.memo.get("judged")
    if last is not None and last.context is context:
        return last.findings
    known = _known_of(part, context)
    if last is None or last.known != known:
        subject = Subject(document, bind(document), context)
        found = [finding for rule in rules_of("part") for finding in islice(rule.find(subject, rule), MAX_FINDINGS)]
    else:
        found = last.findings
    part.memo["judged"] = _Judged(context, known, found)
    return found


def _known_of(part: Part, context: CheckContext) -> object:
    """Return what a rule may look at while it judges a part: the facts of the files that stand in it, and the rest."""
    texts: list[str] | None = part.memo.get("texts")
    if texts is None:
        texts = part.memo["texts"] = [value for _, value in leaves(part.plain) if isinstance(value, str)]
    facts = [(context.files.get(text), context.datasets.get(text)) for text in texts]
    return facts, context.folder, context.data_files, context.model, context.template, context.hardware


def _placed(findings: list[Finding], line: int) -> list[Finding]:
    """Return the findings of a part as they stand in the document, whose line `line` is the part's first."""
    return [_moved(finding, line) for finding in findings] if line else findings


def _moved(finding: Finding, by: int) -> Finding:
    return Finding(
        code=finding.code,
        severity=finding.severity,
        message=finding.message,
        range=_down(finding.range, by),
        related=[Related(range=_down(other.range, by), message=other.message) for other in finding.related],
        fixes=[
            Fix(title=fix.title, edits=[TextEdit(range=_down(e.range, by), newText=e.newText) for e in fix.edits])
            for fix in finding.fixes
        ],
    )


def _down(range_: Range, by: int) -> Range:
    start, end = range_.start, range_.end
    return Range(
        start=Position(line=start.line + by, character=start.character),
        end=Position(line=end.line + by, character=end.character),
    )


def _place(finding: Finding) -> tuple[int, int, int, int, str]:
    start, end = finding.range.start, finding.range.end
    return start.line, start.character, end.line, end.character, finding.code
