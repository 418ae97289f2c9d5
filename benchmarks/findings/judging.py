"""What the check says about a planted fault: found or not, where, what else, and what its fixes do."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from benchmarks.findings.faults import Planted, Span
from benchmarks.findings.sheet import CannotPlantError, Sheet, comments

from peft_daemon.language.check import check_text
from peft_daemon.language.context import CheckContext
from peft_schemas.findings import Finding, Fix, Position, Range

ERROR_OR_WARNING = ("error", "warning")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
SEEN = (*ERROR_OR_WARNING, "information")
"""What a user sees unasked; a hint does not show in the list of problems."""


@dataclass(frozen=True)
class Verdict:
    """The outcome for one planted fault. A text says what went wrong; an empty one that nothing did."""

    missed: str = ""
    misplaced: str = ""
    extra: str = ""
    no_fix: str = ""
    fixes: int = 0
    keeps_finding: str = ""
    adds_finding: str = ""
    loses_comment: str = ""
    changes_value: str = ""

    def complaints(self) -> list[str]:
        """Return what went wrong, each with its name."""
        return [f"{name}: {text}" for name, text in vars(self).items() if isinstance(text, str) and text]


def judge(fault: Planted, good: str) -> Verdict:
    """Check a planted text and compare with the good one that it comes from."""
    before = _findings(good, fault.context)
    found = check_text(fault.text, fault.context)
    own = [finding for finding in found if finding.code in fault.codes]
    fresh = _seen(own) - _seen(before)
    # The good text may have the same finding when the context is about something that it names, too.
    own = [f for f in own if (f.code, f.message) in fresh or _span(f.range) in fault.places]
    expected = f"{'/'.join(sorted(fault.codes))} at {sorted(fault.places)}"
    if not own:
        return Verdict(missed=f"{expected}; found {[_short(finding) for finding in found]}")
    misplaced = extra = no_fix = ""
    exact = [finding for finding in own if not fault.places or _span(finding.range) in fault.places]
    if not exact:
        misplaced = f"{expected}; found {[_short(finding) for finding in own]}"
    more = _codes(found, ERROR_OR_WARNING) - _codes(before, ERROR_OR_WARNING)
    if surprising := set(more) - fault.consequences - fault.codes:
        extra = str([_short(finding) for finding in found if finding.code in surprising])
    if fault.has_fix and not any(finding.fixes for finding in own):
        no_fix = _short(own[0])
    repaired = _repairs(fault, (exact or own)[0], found, before)
    return Verdict(missed="", misplaced=misplaced, extra=extra, no_fix=no_fix, **repaired)  # type: ignore[arg-type]


def apply(text: str, fix: Fix) -> str:
    """Apply a fix as an editor does: all ranges count in the text before any edit."""
    for start, end, new in sorted(_edits(text, fix), key=lambda edit: edit[:2], reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _edits(text: str, fix: Fix) -> list[tuple[int, int, str]]:
    """Return the edits of a fix with offsets."""
    starts = [0]
    for index, character in enumerate(text):
        if character == "\n" or (character == "\r" and text[index + 1 : index + 2] != "\n"):
            starts.append(index + 1)

    def offset(place: Position) -> int:
        at, units = starts[place.line], place.character
        while units > 0:
            units -= 1 + (ord(text[at]) > 0xFFFF)
            at += 1
        return at

    return [(offset(edit.range.start), offset(edit.range.end), edit.newText) for edit in fix.edits]


def _lost_comments(text: str, fix: Fix, fixed: str) -> Counter[str]:
    """Return the comments that a fix took away, but for those behind a key that it deletes: they are about that key."""
    deleted = "\n".join(text[start:end] for start, end, new in _edits(text, fix) if not new)
    about_deleted = [line for line in deleted.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    excused = Counter(comment for line in about_deleted for comment in comments(line))
    # A fix may delete a character that cannot stand in a comment.
    readable = (_CONTROL.sub("", comment) for comment in comments(text))
    return Counter(readable) - Counter(_CONTROL.sub("", comment) for comment in comments(fixed)) - excused


def _repairs(fault: Planted, finding: Finding, found: list[Finding], before: list[Finding]) -> dict[str, object]:
    outcome: dict[str, object] = {"fixes": len(finding.fixes)}
    for fix in finding.fixes:
        fixed = apply(fault.text, fix)
        after = check_text(fixed, fault.context)
        key = (finding.code, finding.message)
        if _seen(after)[key] >= _seen(found)[key]:
            outcome["keeps_finding"] = fix.title
        added = _codes(after, SEEN) - (_codes(found, SEEN) | _codes(before, SEEN))
        if harm := set(added) - fault.consequences:
            outcome["adds_finding"] = f"{fix.title}: {[_short(other) for other in after if other.code in harm]}"
        if lost := _lost_comments(fault.text, fix, fixed):
            outcome["loses_comment"] = f"{fix.title}: {list(lost)}"
        if changed := _changed(fault, fixed):
            outcome["changes_value"] = f"{fix.title}: {changed}"
    return outcome


def _changed(fault: Planted, fixed: str) -> str:
    """Return what a fix changed of that which had nothing to do with the fault."""
    try:
        planted = Sheet(fault.text).leaves()
    except CannotPlantError:
        return ""
    try:
        kept = Counter(Sheet(fixed).leaves())
    except CannotPlantError as error:
        return f"no longer YAML: {error}"
    touched = {part for path in fault.touched for part in ["*" if isinstance(p, int) else p for p in path][-1:]}
    own = Counter((path, value) for path, value in planted if not touched & set(path))
    return str(list(own - kept) or "") if fault.touched else ""


@lru_cache(maxsize=2000)
def _checked(text: str) -> list[Finding]:
    return check_text(text)


def _findings(text: str, context: CheckContext) -> list[Finding]:
    return _checked(text) if context == CheckContext() else check_text(text, context)


def _seen(findings: Iterable[Finding]) -> Counter[tuple[str, str]]:
    return Counter((finding.code, finding.message) for finding in findings)


def _codes(findings: Iterable[Finding], severities: tuple[str, ...]) -> Counter[str]:
    """Count by code alone: the sentence may name a number that the fault or its fix changed."""
    return Counter(finding.code for finding in findings if finding.severity in severities)


def _span(range_: Range) -> Span:
    return range_.start.line, range_.start.character, range_.end.line, range_.end.character


def _short(finding: Finding) -> str:
    return f"{finding.code} {_span(finding.range)} {finding.message}"
