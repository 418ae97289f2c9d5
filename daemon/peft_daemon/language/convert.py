"""Between the words of `peft_schemas.findings` and the types of `lsprotocol`, which mean the same."""

from lsprotocol import types

from peft_schemas.findings import Fix, Position, Range, Severity, TextEdit

SEVERITIES: dict[Severity, types.DiagnosticSeverity] = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}


def position_from_lsp(position: types.Position) -> Position:
    """Return LSP's position as ours."""
    return Position(line=position.line, character=position.character)


def range_from_lsp(range_: types.Range) -> Range:
    """Return LSP's range as ours."""
    return Range(start=position_from_lsp(range_.start), end=position_from_lsp(range_.end))


def range_to_lsp(range_: Range) -> types.Range:
    """Return our range as LSP's."""
    return types.Range(
        start=types.Position(range_.start.line, range_.start.character),
        end=types.Position(range_.end.line, range_.end.character),
    )


def edit_to_lsp(edit: TextEdit) -> types.TextEdit:
    """Return our edit as LSP's."""
    return types.TextEdit(range=range_to_lsp(edit.range), new_text=edit.newText)


def fix_to_lsp(uri: str, fix: Fix) -> types.WorkspaceEdit:
    """Return a fix as an edit of one document."""
    return types.WorkspaceEdit(changes={uri: [edit_to_lsp(edit) for edit in fix.edits]})
