"""Finding references: an anchor's aliases, and every config of the workspace that names the same file or hub id."""

import asyncio
from collections.abc import Iterable

from peft_daemon.language.anchors import anchor_at
from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.mentions import mention_at, mentions
from peft_daemon.lsp import types
from peft_daemon.lsp.params import ReferenceParams
from peft_daemon.workbench import WorkbenchServer


def references(
    document: OpenDocument, position: types.Position, workspace: Iterable[OpenDocument], *, declaration: bool
) -> list[types.Location]:
    """Return where what stands at a position is used.

    Args:
        document: The document with the position.
        position: The cursor.
        workspace: Every config, that document included. They are looked at only for what can be named elsewhere.
        declaration: Whether an anchor counts as a use of itself.
    """
    offset = document.source.offset(position_from_lsp(position))
    anchor = anchor_at(document.document, offset)
    if anchor is not None:
        places = list(anchor.places())[0 if declaration else 1 :]
        return [_location(document, start, end) for start, end in places]
    named = mention_at(document, offset)
    if named is None:
        return []
    return [
        _location(other, mention.node.start, mention.node.end)
        for other in workspace
        for mention in mentions(other)
        if mention.means_the_same(named)
    ]


def _location(document: OpenDocument, start: int, end: int) -> types.Location:
    return {"uri": document.uri, "range": range_to_lsp(document.source.range(start, end))}


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/references`."""

    async def answer(params: ReferenceParams) -> list[types.Location]:
        document = server.documents.get(params["textDocument"]["uri"])
        if document is None:
            return []
        declaration = params["context"]["includeDeclaration"]
        configs = server.workspace.documents()
        return await asyncio.to_thread(references, document, params["position"], configs, declaration=declaration)

    server.feature("textDocument/references", answer)
