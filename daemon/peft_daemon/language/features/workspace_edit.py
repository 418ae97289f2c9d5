"""A change as the editor can take it: with new files, versions and announcements where it knows them."""

from dataclasses import dataclass

from peft_daemon.language.convert import edit_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.refactoring.offer import Change
from peft_daemon.lsp import types
from peft_daemon.workbench import WorkbenchServer

_ANNOTATION = "change"
_START: types.Range = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}


@dataclass(frozen=True)
class Abilities:
    """What an editor can do with edits."""

    resolves_edits: bool
    """It asks for an action's edit when the action is chosen."""

    creates_files: bool
    annotates: bool
    """It shows what an edit is about, and lets the user see it first."""

    @classmethod
    def of(cls, server: WorkbenchServer) -> "Abilities":
        """Return what the editor announced."""
        edits = server.client_capabilities.get("workspace", {}).get("workspaceEdit", {})
        resolves = server.client_capabilities.get("textDocument", {}).get("codeAction", {}).get("resolveSupport", {})
        changes = bool(edits.get("documentChanges"))
        return cls(
            resolves_edits="edit" in resolves.get("properties", ()),
            creates_files=changes and "create" in edits.get("resourceOperations", ()),
            annotates=changes and "changeAnnotationSupport" in edits,
        )


def workspace_edit(
    document: OpenDocument,
    change: Change,
    abilities: Abilities,
    *,
    label: str,
    description: str = "",
    announce: bool = False,
) -> types.WorkspaceEdit:
    """Return a change of a document.

    Args:
        document: The document.
        change: What happens to it, and the file that is made beside it.
        abilities: What the editor can do.
        label: What the change is called where the editor announces it.
        description: What comes of it.
        announce: Whether the editor is told what comes of it, which it shows in its preview.
    """
    edits = [edit_to_lsp(edit) for edit in change.edits]
    new_file = change.new_file
    if new_file is None and not (announce and abilities.annotates):
        return {"changes": {document.uri: edits}}
    announced: list[types.TextEdit | types.AnnotatedTextEdit] = [*edits]
    if abilities.annotates:
        announced = [types.AnnotatedTextEdit(**edit, annotationId=_ANNOTATION) for edit in edits]
    changes: list[types.TextDocumentEdit | types.CreateFile | types.RenameFile] = [
        {"textDocument": {"uri": document.uri, "version": document.version}, "edits": announced}
    ]
    if new_file is not None and document.path is not None:
        uri = (document.path.parent / new_file.path).as_uri()
        changes[:0] = [
            {"kind": "create", "uri": uri},
            {"textDocument": {"uri": uri, "version": None}, "edits": [{"range": _START, "newText": new_file.text}]},
        ]
    if not abilities.annotates:
        return {"documentChanges": changes}
    # No confirmation: an editor would show each edit unchosen, and "Apply" would do nothing. Undoing is one keystroke.
    annotation: types.ChangeAnnotation = {"label": label}
    if description:
        annotation["description"] = description
    return {"documentChanges": changes, "changeAnnotations": {_ANNOTATION: annotation}}
