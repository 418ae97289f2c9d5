"""Repairing all that can be repaired unasked: the first fix of each finding, again and again until none is left."""

from collections import Counter
from collections.abc import Iterable

from peft_daemon.language.check import check_document
from peft_daemon.language.revision import Revision
from peft_schemas.findings import Finding, Fix, TextEdit

_ROUNDS = 20
"""How often the document is judged again at most while repairs come in bulk."""

_SINGLE_STEPS = 100
"""Repairs that are tried one by one at most, after some that were made together did harm."""

Kinds = Counter[tuple[str, str]]


def repaired(revision: Revision) -> Revision:
    """Return a document with every safe repair made: with no more errors than before, and nothing left to repair."""
    for _ in range(_ROUNDS):
        findings = check_document(revision.document, revision.context)
        fixes = _apart(fix for _, fix in _safe_fixes(revision, findings))
        if not fixes:
            return revision
        candidate = revision.changed([edit for fix in fixes for edit in fix.edits])
        if not _is_better(candidate, findings):
            return _one_by_one(revision)
        revision = candidate
    return revision


def is_worthwhile(revision: Revision, findings: Iterable[Finding]) -> bool:
    """Tell whether there is anything that may be repaired unasked."""
    return any(True for _ in _safe_fixes(revision, findings))


def _one_by_one(revision: Revision) -> Revision:
    refused: set[tuple[str, str]] = set()
    for _ in range(_SINGLE_STEPS):
        findings = check_document(revision.document, revision.context)
        step = next(
            ((finding, fix) for finding, fix in _safe_fixes(revision, findings) if _kind(finding) not in refused), None
        )
        if step is None:
            return revision
        candidate = revision.changed(step[1].edits)
        if _is_better(candidate, findings):
            revision = candidate
        else:
            refused.add(_kind(step[0]))
    return revision


def _safe_fixes(revision: Revision, findings: Iterable[Finding]) -> Iterable[tuple[Finding, Fix]]:
    """Yield the first fix of each finding that may be repaired unasked.

    What only takes text away is left to the user, and so is advice on a config that can run, unless it merely spells
    the same value otherwise.
    """
    for finding in findings:
        if not finding.fixes:
            continue
        fix = finding.fixes[0]
        if not any(edit.newText.strip() for edit in fix.edits):
            continue
        if finding.severity == "error" or _same_values(revision, fix.edits):
            yield finding, fix


def _same_values(revision: Revision, edits: list[TextEdit]) -> bool:
    return bool(revision.changed(edits).document.to_plain() == revision.document.to_plain())


def _apart(fixes: Iterable[Fix]) -> list[Fix]:
    """Return the fixes, without those that touch what one before them touches."""
    taken: list[tuple[tuple[int, int], tuple[int, int]]] = []
    chosen = []
    for fix in fixes:
        spans = [_span(edit) for edit in fix.edits]
        if any(start <= other_end and other_start <= end for start, end in spans for other_start, other_end in taken):
            continue
        taken += spans
        chosen.append(fix)
    return chosen


def _span(edit: TextEdit) -> tuple[tuple[int, int], tuple[int, int]]:
    start, end = edit.range.start, edit.range.end
    return (start.line, start.character), (end.line, end.character)


def _is_better(candidate: Revision, before: list[Finding]) -> bool:
    """Tell whether a repair brought no error and left less: a right name may well show a warning about its value."""
    after = check_document(candidate.document, candidate.context)
    return _weight(after) < _weight(before) and not _errors(after) - _errors(before)


def _weight(findings: list[Finding]) -> tuple[int, int, int]:
    """Return how much there is to repair, the gravest first, so that repairs come to an end."""
    errors, warnings = (sum(finding.severity == severity for finding in findings) for severity in ("error", "warning"))
    return errors, warnings, len(findings)


def _errors(findings: Iterable[Finding]) -> Kinds:
    return Counter(_kind(finding) for finding in findings if finding.severity == "error")


def _kind(finding: Finding) -> tuple[str, str]:
    return finding.code, finding.message
