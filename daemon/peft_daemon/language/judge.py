"""Judging a document: every rule, at the cost of what changed since the version before."""

from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from peft_daemon.language.binding import bind
from peft_daemon.language.context import CheckContext
from peft_daemon.language.ignored import without_ignored
from peft_daemon.language.rules.registry import rules_of
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.silence import Silence, Watched
from peft_engine.config.document import Document, Path, alone
from peft_engine.config.parts import Part
from peft_engine.config.resolve import leaves
from peft_schemas.findings import Finding, Fix, Position, Range, Related, TextEdit

MAX_FINDINGS = 500
"""Findings of one document that are reported. A file with more is not a config, and an editor would choke on them."""


@dataclass(frozen=True)
class Judgement:
    """What was found in one version of a document."""

    findings: list[Finding]
    """In the order of the text: all of them, or the first `MAX_FINDINGS`."""

    silence: Silence
    """What need not be looked for again in the next version."""


def judge(document: Document, context: CheckContext, before: Judgement | None = None) -> Judgement:
    """Judge a document. Pure: the same document and context give the same findings.

    Args:
        document: The document.
        context: What is known of the world around it.
        before: The judgement of an earlier version. It changes nothing but the time.
    """
    findings: list[Finding] = []
    for placed in document.parts:
        judged: _Judged | None = placed.part.memo.get("judged")
        if judged is None or judged.context is not context:
            judged = _judge_part(placed.part, context, judged)
        if judged.findings:
            findings += _placed(judged.findings, placed.line)
    subject = Subject(document, bind(document, None if before is None else before.silence.subject.binding), context)
    faulty = rules_of("problems") if document.problems else ()
    faulty += rules_of("keys") if subject.binding.is_faulty else ()
    for rule in faulty:
        findings += islice(rule.find(subject, rule), MAX_FINDINGS)
    silence = Silence(subject, {}, {}) if before is None else before.silence.after(subject)
    silent: dict[str, frozenset[str | Path]] = {}
    for rule in rules_of("document"):
        if rule.code in silence.asked:
            continue
        watched = Watched(subject)
        found = list(islice(rule.find(watched.as_subject, rule), MAX_FINDINGS))
        findings += found
        if not found and not watched.was_read:
            silent[rule.code] = frozenset(watched.asked)
    findings = sorted(without_ignored(document, findings), key=_place)[:MAX_FINDINGS]
    return Judgement(findings, silence.grown(silent))


class _Judged(NamedTuple):
    """The findings of a part, and what was known when they were found."""

    context: CheckContext
    known: object
    findings: list[Finding]


def _judge_part(part: Part, context: CheckContext, last: _Judged | None) -> _Judged:
    """Return the findings of one part, those of the last time when nothing else is known of its files."""
    known = _known_of(part, context)
    if last is None or last.known != known:
        document = alone(part)
        subject = Subject(document, bind(document), context)
        found = [finding for rule in rules_of("part") for finding in islice(rule.find(subject, rule), MAX_FINDINGS)]
    else:
        found = last.findings
    judged = part.memo["judged"] = _Judged(context, known, found)
    return judged


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
