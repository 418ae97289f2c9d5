"""Between the words of `peft_schemas.findings` and LSP's structures, which mean the same."""

from peft_daemon.lsp import types
from peft_daemon.lsp.kinds import DiagnosticSeverity
from peft_schemas.findings import Fix, Position, Range, Severity, TextEdit

SEVERITIES: dict[Severity, DiagnosticSeverity] = {
    "error": DiagnosticSeverity.Error,
    "warning": DiagnosticSeverity.Warning,
    "information": DiagnosticSeverity.Information,
    "hint": DiagnosticSeverity.Hint,
}


def position_from_lsp(position: types.Position) -> Position:
    """Return LSP's position as ours."""
    return Position(line=position["line"], character=position["character"])


def range_from_lsp(range_: types.Range) -> Range:
    """Return LSP's range as ours."""
    return Range(start=position_from_lsp(range_["start"]), end=position_from_lsp(range_["end"]))


def position_to_lsp(position: Position) -> types.Position:
    """Return our position as LSP's."""
    return {"line": position.line, "character": position.character}


def range_to_lsp(range_: Range) -> types.Range:
    """Return our range as LSP's."""
    return {"start": position_to_lsp(range_.start), "end": position_to_lsp(range_.end)}


def edit_to_lsp(edit: TextEdit) -> types.TextEdit:
    """Return our edit as LSP's."""
    return {"range": range_to_lsp(edit.range), "newText": edit.newText}


def fix_to_lsp(uri: str, fix: Fix) -> types.WorkspaceEdit:
    """Return a fix as an edit of one document."""
    return {"changes": {uri: [edit_to_lsp(edit) for edit in fix.edits]}}
