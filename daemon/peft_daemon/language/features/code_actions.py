"""Code actions: the fixes of the findings under the cursor."""

from peft_daemon.language.convert import fix_to_lsp, position_from_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features.diagnostics import to_diagnostic
from peft_daemon.lsp import types
from peft_daemon.lsp.params import CodeActionParams
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.findings import Finding, Position

_KIND = "quickfix"


def code_actions(
    document: OpenDocument, findings: list[Finding], range_: types.Range, only: list[str] | None
) -> list[types.CodeAction]:
    """Return a quick fix for each fix of each finding that touches a range; the first of a finding is preferred."""
    wanted = only is None or any(_KIND.startswith(kind) for kind in only)
    if not wanted:
        return []
    start, end = position_from_lsp(range_["start"]), position_from_lsp(range_["end"])
    return [
        {
            "title": fix.title,
            "kind": _KIND,
            "diagnostics": [to_diagnostic(document.uri, finding)],
            "edit": fix_to_lsp(document.uri, fix),
            "isPreferred": index == 0,
        }
        for finding in findings
        if _key(finding.range.start) <= _key(end) and _key(start) <= _key(finding.range.end)
        for index, fix in enumerate(finding.fixes)
    ]


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/codeAction`."""

    async def answer(params: CodeActionParams) -> list[types.CodeAction]:
        document = server.documents.get(params["textDocument"]["uri"])
        if document is None:
            return []
        findings = await server.diagnostics.findings(document)
        return code_actions(document, findings, params["range"], params["context"].get("only"))

    server.feature("textDocument/codeAction", answer)


def _key(position: Position) -> tuple[int, int]:
    return position.line, position.character
