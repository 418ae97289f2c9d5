"""Remarks that were read and are not wanted: `# peftw: ignore PW501` on their line, or alone on the line above.

An error cannot be ignored: it would keep the run from starting all the same.
"""

import re

from peft_engine.config.document import Document, parse
from peft_engine.config.text import SourceText
from peft_schemas.findings import Finding, Fix, TextEdit

_MARK = "peftw: ignore"
_COMMENT = re.compile(rf"#\s*{_MARK}\s+(?P<codes>PW\d{{3}}(?:[\s,]+PW\d{{3}})*)")


def without_ignored(document: Document, findings: list[Finding]) -> list[Finding]:
    """Return the findings but for those that a comment tells to ignore."""
    if _MARK not in document.source.text:
        return findings
    source = document.source
    ignored: dict[int, set[str]] = {}
    for start, end in document.comments:
        match = _COMMENT.match(source.text, start, end)
        if match is not None:
            line = source.line_of(start)
            alone = not source.text[source.line_start(line) : start].strip()
            ignored.setdefault(line + alone, set()).update(re.findall(r"PW\d{3}", match["codes"]))
    return [
        finding
        for finding in findings
        if finding.severity == "error" or finding.code not in ignored.get(finding.range.start.line, ())
    ]


def ignoring(document: Document, finding: Finding) -> Fix | None:
    """Return the change that tells to ignore a remark, None for an error and where no comment can stand."""
    if finding.severity == "error":
        return None
    source = document.source
    line = finding.range.start.line
    start, end = source.line_start(line), source.line_end(line)
    comments = [comment for comment in document.comments if start <= comment[0] < end]
    if not comments:
        at, text = end, f"  # {_MARK} {finding.code}"
    elif (match := _COMMENT.match(source.text, comments[0][0])) is not None:
        at, text = match.end("codes"), f", {finding.code}"
    else:
        written = source.line(line)
        indent = written[: len(written) - len(written.lstrip())]
        line_end = "\r\n" if "\r\n" in source.text else "\n"
        at, text = start, f"{indent}# {_MARK} {finding.code}{line_end}"
    after = parse(SourceText(source.text[:at] + text + source.text[at:]), document)
    # On a line within a text over several lines it would be a part of that text.
    if after.to_plain() != document.to_plain() or len(after.comments) < len(document.comments):
        return None
    edit = TextEdit(range=source.range(at, at), newText=text)
    return Fix(title=f"Ignore {finding.code} here", edits=[edit])
