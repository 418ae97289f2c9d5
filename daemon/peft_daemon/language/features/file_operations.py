"""File operations: when files are about to move, configs that name them are edited, and so are configs that move."""

import asyncio

from peft_daemon.language.relocation import moved_by, rewrite, workspace_edit
from peft_daemon.lsp import types
from peft_daemon.lsp.params import RenameFilesParams
from peft_daemon.lsp.uris import to_path
from peft_daemon.workbench import WorkbenchServer


def register(server: WorkbenchServer) -> None:
    """Answer `workspace/willRenameFiles` and hear `workspace/didRenameFiles`."""

    async def will_rename(params: RenameFilesParams) -> types.WorkspaceEdit | None:
        places = [(to_path(file["oldUri"]), to_path(file["newUri"])) for file in params["files"]]
        renames = [(old, new) for old, new in places if old is not None and new is not None]
        rewritten = await asyncio.to_thread(rewrite, server.workspace.documents(), moved_by(renames))
        if not rewritten:
            return None
        return workspace_edit(rewritten, as_document_changes=server.can("workspace.workspaceEdit.documentChanges"))

    def did_rename(_: RenameFilesParams) -> None:
        # Watchers need not tell of the files in a folder that moved.
        server.workspace.forget()

    server.feature("workspace/willRenameFiles", will_rename)
    server.listen("workspace/didRenameFiles", did_rename)
