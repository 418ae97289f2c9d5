"""The reference pages of the findings, written from the registry of rules."""

from peft_daemon.language.check import check_document
from peft_daemon.language.rules.registry import FAMILIES, Rule, rules
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from peft_schemas.findings import Finding, Fix

MAX_EXAMPLE = 500
"""Characters beyond which an example shows size, not a mistake, and is left out."""


def findings_index(notice: str) -> str:
    """Return the page that lists all findings."""
    lines = ["# Findings", "", f"<!-- {notice} -->", ""]
    lines += ["What `peftw check` and the editor say about a config. A finding's code never changes its meaning.", ""]
    for family, meaning in FAMILIES.items():
        lines += [f"## {family.capitalize()}", "", meaning, "", "| code | severity | meaning |", "|---|---|---|"]
        lines += [
            f"| [{rule.code}](findings/{rule.code}.md) | {rule.severity} | {rule.summary} |"
            for rule in rules()
            if rule.family == family
        ]
        lines.append("")
    return "\n".join(lines)


def finding_page(rule: Rule, notice: str) -> str:
    """Return the page of one kind of finding."""
    lines = [f"# {rule.code}", "", f"<!-- {notice} -->", ""]
    lines += [f"**{rule.summary}**", "", f"Family: {rule.family}. Severity: {rule.severity}.", ""]
    lines += ["## Why", "", rule.why, "", "## What to do", "", rule.advice, ""]
    if _is_shown(rule.example):
        finding = _finding_of(rule)
        lines += ["## Example", "", *_yaml(rule.example), f"> {finding.message}", ""]
        if finding.fixes:
            fix = finding.fixes[0]
            lines += ["## Corrected", "", f"*{fix.title}*", "", *_yaml(_applied(rule.example, fix))]
    if rule.source:
        lines += ["## Source", "", f"{rule.source}.", ""]
    return "\n".join(lines)


def _finding_of(rule: Rule) -> Finding:
    found = check_document(parse(SourceText(rule.example)), rule.known)
    return next(finding for finding in found if finding.code == rule.code)


def _applied(text: str, fix: Fix) -> str:
    """Return a text with a fix made. The ranges of its edits count in the text before any of them."""
    source = SourceText(text)
    for edit in sorted(fix.edits, key=lambda edit: source.offset(edit.range.start), reverse=True):
        start, end = source.offset(edit.range.start), source.offset(edit.range.end)
        text = text[:start] + edit.newText + text[end:]
    return text


def _is_shown(example: str) -> bool:
    visible = example.replace("\n", "").replace("\t", "")
    return bool(example) and visible.isprintable() and len(example) <= MAX_EXAMPLE


def _yaml(text: str) -> list[str]:
    return ["```yaml", text.rstrip("\n"), "```", ""]
