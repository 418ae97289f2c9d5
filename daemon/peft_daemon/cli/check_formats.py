"""The findings of `peftw check` as people, scripts, code scanners and GitHub read them."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, get_args

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from peft_daemon.language.check import CheckedFile
from peft_daemon.language.rules.pages import page_of
from peft_daemon.language.rules.registry import rules
from peft_daemon.language.wording import counted
from peft_engine.config.text import SourceText
from peft_schemas import __version__
from peft_schemas.findings import CheckReport, FileFinding, Range, Severity

_COLOURS: dict[Severity, str] = {"error": "red", "warning": "yellow", "information": "blue", "hint": "dim"}
_SARIF_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}
_GITHUB_LEVELS: dict[Severity, str] = {
    "error": "error",
    "warning": "warning",
    "information": "notice",
    "hint": "notice",
}
_WIDEST_LINE = 160
"""Characters of a source line that are shown."""


def report(files: Sequence[CheckedFile]) -> CheckReport:
    """Return the findings of all files as one value of the vocabulary."""
    findings = [finding for file in files for finding in file.findings]
    severities: tuple[Severity, ...] = get_args(Severity)
    summary = {severity: sum(finding.severity == severity for finding in findings) for severity in severities}
    return CheckReport(findings=findings, summary=summary)


def print_text(console: Console, files: Sequence[CheckedFile]) -> None:
    """Print each finding with its line and a mark below its characters, then a summary."""
    for file in files:
        source = SourceText(file.text)
        for finding in file.findings:
            _print_finding(console, source, finding)
    counts = report(files).summary
    named = [counted(count, severity) for severity, count in counts.items() if count]
    console.print(
        f"{counted(len(files), 'file')} checked: {', '.join(named) or 'no findings'}.",
        style="bold" if named else "green",
    )


def sarif(files: Sequence[CheckedFile]) -> dict[str, Any]:
    """Return the findings as a SARIF 2.1.0 log."""
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "peftw", "version": __version__, "rules": list(_sarif_rules())}},
                "columnKind": "utf16CodeUnits",
                "results": [_sarif_result(finding) for file in files for finding in file.findings],
            }
        ],
    }


def github(files: Sequence[CheckedFile]) -> Iterator[str]:
    """Yield a workflow command for each finding, which GitHub shows beside the changed lines."""
    for file in files:
        for finding in file.findings:
            start, end = finding.range.start, finding.range.end
            place = (
                f"file={_escaped(finding.path, ':,')},line={start.line + 1},endLine={end.line + 1},"
                f"col={start.character + 1},endColumn={end.character + 1},title={finding.code}"
            )
            yield f"::{_GITHUB_LEVELS[finding.severity]} {place}::{_escaped(finding.message)}"


def _print_finding(console: Console, source: SourceText, finding: FileFinding) -> None:
    start, end = finding.range.start, finding.range.end
    head = Text(f"{finding.path}:{start.line + 1}:{start.character + 1}: ")
    head.append(finding.severity, style=f"bold {_COLOURS[finding.severity]}")
    head.append(f" {finding.code}", style="dim").append(f" {finding.message}")
    console.print(head)
    line = source.line(start.line)
    first = source.offset(start) - source.line_start(start.line)
    last = source.offset(end) - source.line_start(start.line) if end.line == start.line else len(line)
    if line.strip() and first < _WIDEST_LINE:
        shown = line[:_WIDEST_LINE].replace("\t", " ")
        number = f"{start.line + 1:>5} | "
        console.print(Text(number, style="dim").append(shown, style=""))
        # Some characters take two columns, and the mark must stand below the right ones.
        margin, width = cell_len(number + shown[:first]), cell_len(shown[first:last])
        console.print(Text(" " * margin + "^" * max(width, 1), style=_COLOURS[finding.severity]))
    for fix in finding.fixes[:1]:
        console.print(Text(f"        fix: {fix.title}", style="green"))
    if finding.severity == "error" and not finding.fixes and (advice := _advice().get(finding.code)):
        # A run is refused for it, so it must not end without what to do.
        console.print(Text(f"        do: {advice}", style="green"))


@cache
def _advice() -> dict[str, str]:
    """Return what to do by the code of each rule; what an import tells has a code that is none of these."""
    return {rule.code: rule.advice for rule in rules()}


def _sarif_rules() -> Iterator[dict[str, Any]]:
    for rule in rules():
        page = page_of(rule.code)
        markdown = {} if page is None else {"markdown": page.read_text(encoding="utf-8")}
        yield {
            "id": rule.code,
            "shortDescription": {"text": rule.summary},
            "help": {"text": rule.advice, **markdown},
            "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
        }


def _sarif_result(finding: FileFinding) -> dict[str, Any]:
    uri = finding.path.replace("\\", "/")
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": _region(finding.range)}}],
    }
    if finding.fixes:
        result["fixes"] = [
            {
                "description": {"text": fix.title},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": uri},
                        "replacements": [
                            {"deletedRegion": _region(edit.range), "insertedContent": {"text": edit.newText}}
                            for edit in fix.edits
                        ],
                    }
                ],
            }
            for fix in finding.fixes
        ]
    return result


def _region(range_: Range) -> dict[str, int]:
    """Return a range as SARIF counts: from 1."""
    return {
        "startLine": range_.start.line + 1,
        "startColumn": range_.start.character + 1,
        "endLine": range_.end.line + 1,
        "endColumn": range_.end.character + 1,
    }


def _escaped(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
