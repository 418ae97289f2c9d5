"""Highlights: an anchor with its aliases, and every value that names the same file or hub id."""

import asyncio

from peft_daemon.language.anchors import anchor_at
from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.mentions import mention_at, mentions
from peft_daemon.lsp import types
from peft_daemon.lsp.kinds import DocumentHighlightKind
from peft_daemon.lsp.params import TextDocumentPositionParams
from peft_daemon.workbench import WorkbenchServer


def highlights(document: OpenDocument, position: types.Position) -> list[types.DocumentHighlight]:
    """Return the places of a document that belong to what stands at a position."""
    offset = document.source.offset(position_from_lsp(position))
    anchor = anchor_at(document.document, offset)
    if anchor is not None:
        return [
            _highlight(document, start, end, DocumentHighlightKind.Read if index else DocumentHighlightKind.Write)
            for index, (start, end) in enumerate(anchor.places())
        ]
    named = mention_at(document, offset)
    if named is None:
        return []
    return [
        _highlight(document, mention.node.start, mention.node.end, DocumentHighlightKind.Text)
        for mention in mentions(document)
        if mention.means_the_same(named)
    ]


def _highlight(document: OpenDocument, start: int, end: int, kind: DocumentHighlightKind) -> types.DocumentHighlight:
    return {"range": range_to_lsp(document.source.range(start, end)), "kind": kind}


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/documentHighlight`."""

    async def answer(params: TextDocumentPositionParams) -> list[types.DocumentHighlight]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else await asyncio.to_thread(highlights, document, params["position"])

    server.feature("textDocument/documentHighlight", answer)
