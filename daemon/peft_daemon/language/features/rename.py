"""Renaming: anchors with their aliases, and the files that configs name, together with every config that does."""

import asyncio
import os
import re
from collections.abc import Iterable
from pathlib import Path

from peft_daemon.language.anchors import Anchor, anchor_at, anchors
from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.mentions import Mention, mention_at
from peft_daemon.language.relocation import Rewritten, moved_by, name_edit, rewrite, workspace_edit
from peft_daemon.lsp import types
from peft_daemon.lsp.errors import REQUEST_FAILED, ResponseError
from peft_daemon.lsp.params import RenameParams, TextDocumentPositionParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.schema import key_at

_ANCHOR_NAME = re.compile(r"[\w.-]+")


class Refused(Exception):
    """Nothing can be renamed so. The message is one plain sentence for the user."""


def prepare_rename(document: OpenDocument, position: types.Position, *, files: bool) -> types.PrepareRenameResult:
    """Return what would be renamed at a position.

    Args:
        document: The document.
        position: The cursor.
        files: Whether the editor renames files when it is asked to.

    Raises:
        Refused: Nothing there can be renamed.
    """
    offset = document.source.offset(position_from_lsp(position))
    anchor = anchor_at(document.document, offset)
    if anchor is not None:
        start, end = next((start, end) for start, end in anchor.places() if start <= offset <= end)
        # Without the mark, which is not a part of the name.
        return {"range": range_to_lsp(document.source.range(start + 1, end)), "placeholder": anchor.name}
    mention, _ = _file_at(document, offset, files=files)
    quote = 1 if mention.node.style in ("single", "double") else 0
    span = document.source.range(mention.node.start + quote, mention.node.end - quote)
    return {"range": range_to_lsp(span), "placeholder": mention.text}


def rename(
    document: OpenDocument,
    position: types.Position,
    name: str,
    workspace: Iterable[OpenDocument],
    *,
    files: bool,
    as_document_changes: bool,
) -> types.WorkspaceEdit:
    """Return the edit that gives what stands at a position another name.

    Args:
        document: The document.
        position: The cursor.
        name: The new name of an anchor or preset, or the new path as the config should write it.
        workspace: Every config, that document included.
        files: Whether the editor renames files when it is asked to.
        as_document_changes: Whether the editor takes edits of certain versions of documents.

    Raises:
        Refused: Nothing there can be renamed, or not so.
    """
    offset = document.source.offset(position_from_lsp(position))
    anchor = anchor_at(document.document, offset)
    if anchor is not None:
        edits = _anchor_edits(document, anchor, name)
        return workspace_edit([Rewritten(document, edits)], as_document_changes=as_document_changes)
    mention, old = _file_at(document, offset, files=files)
    new = _new_path(document, mention, old, name)
    rewritten = rewrite(workspace, moved_by([(old, new)]))
    # The value under the cursor is written as the user typed it, the others as they were written.
    own = name_edit(document, mention.node, name)
    others = [
        Rewritten(one.document, [own if edit["range"] == own["range"] else edit for edit in one.edits])
        if one.document.uri == document.uri
        else one
        for one in rewritten
    ]
    return workspace_edit(others, [(old, new)], as_document_changes=as_document_changes)


def _anchor_edits(document: OpenDocument, anchor: Anchor, name: str) -> list[types.TextEdit]:
    if not document.document.is_sound:
        raise Refused("The file has faults, so an alias might be missed; mend them first.")
    if not _ANCHOR_NAME.fullmatch(name):
        raise Refused(f"`{name}` is no name for an anchor: use letters, digits, dots, dashes and underscores.")
    if name != anchor.name and any(other.name == name for other in anchors(document.document)):
        raise Refused(f"There is an anchor `&{name}` already; choose another name.")
    return [
        {"range": range_to_lsp(document.source.range(start + 1, end)), "newText": name}
        for start, end in anchor.places()
    ]


def _file_at(document: OpenDocument, offset: int, *, files: bool) -> tuple[Mention, Path]:
    """Return the name of a file at an offset, and the file."""
    mention = mention_at(document, offset)
    if mention is None or mention.is_shipped or not mention.is_local or mention.path is None:
        raise Refused("Only anchors and files that a config names can be renamed here.")
    if not mention.path.exists():
        raise Refused(f"There is no {mention.text} to rename.")
    if not files:
        raise Refused("This editor cannot rename files together with the text; rename the file itself.")
    return mention, mention.path


def _new_path(document: OpenDocument, mention: Mention, old: Path, name: str) -> Path:
    if mention.kind == "preset":
        pattern = getattr(key_at(("preset",)), "pattern", None) or ""
        if not re.fullmatch(pattern, name):
            raise Refused(f"`{name}` is no name for a preset: use letters, digits, dots, dashes and underscores.")
        new = old.with_name(f"{name}.yaml")
    else:
        if not name.strip() or "\0" in name or document.path is None:
            raise Refused("Write the new path of the file.")
        new = Path(os.path.normpath(document.path.parent / Path(name).expanduser()))
        if new.suffix.lower() != old.suffix.lower():
            raise Refused(f"The new name must end in `{old.suffix}` too, because the ending says what the file holds.")
    if new != old and new.exists():
        raise Refused(f"There is a {name} already; choose another name.")
    return new


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/prepareRename` and `textDocument/rename`."""

    def renames_files() -> bool:
        edit = server.client_capabilities.get("workspace", {}).get("workspaceEdit", {})
        return bool(edit.get("documentChanges")) and "rename" in edit.get("resourceOperations", ())

    async def prepare(params: TextDocumentPositionParams) -> types.PrepareRenameResult | None:
        document = server.documents.get(params["textDocument"]["uri"])
        if document is None:
            return None
        try:
            return await asyncio.to_thread(prepare_rename, document, params["position"], files=renames_files())
        except Refused as error:
            raise ResponseError(REQUEST_FAILED, str(error)) from error

    async def answer(params: RenameParams) -> types.WorkspaceEdit | None:
        document = server.documents.get(params["textDocument"]["uri"])
        if document is None:
            return None
        try:
            return await asyncio.to_thread(
                rename,
                document,
                params["position"],
                params["newName"],
                server.workspace.documents(),
                files=renames_files(),
                as_document_changes=server.can("workspace.workspaceEdit.documentChanges"),
            )
        except Refused as error:
            raise ResponseError(REQUEST_FAILED, str(error)) from error

    server.feature("textDocument/prepareRename", prepare)
    server.feature("textDocument/rename", answer)
