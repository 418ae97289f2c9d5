"""Code actions: the fixes of the findings under the cursor."""

from lsprotocol import types

from peft_daemon.language.convert import fix_to_lsp, position_from_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features.diagnostics import to_diagnostic
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.findings import Finding, Position


def code_actions(
    document: OpenDocument, findings: list[Finding], range_: types.Range, only: list[str] | None
) -> list[types.CodeAction]:
    """Return a quick fix for each fix of each finding that touches a range; the first of a finding is preferred."""
    wanted = only is None or any(types.CodeActionKind.QuickFix.value.startswith(kind) for kind in only)
    if not wanted:
        return []
    start, end = position_from_lsp(range_.start), position_from_lsp(range_.end)
    return [
        types.CodeAction(
            title=fix.title,
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[to_diagnostic(document.uri, finding)],
            edit=fix_to_lsp(document.uri, fix),
            is_preferred=index == 0,
        )
        for finding in findings
        if _key(finding.range.start) <= _key(end) and _key(start) <= _key(finding.range.end)
        for index, fix in enumerate(finding.fixes)
    ]


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/codeAction`."""
    options = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    async def answer(params: types.CodeActionParams) -> list[types.CodeAction]:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return []
        findings = await server.diagnostics.findings(document)
        only = params.context.only
        kinds = None if only is None else [getattr(kind, "value", kind) for kind in only]
        return code_actions(document, findings, params.range, kinds)


def _key(position: Position) -> tuple[int, int]:
    return position.line, position.character
