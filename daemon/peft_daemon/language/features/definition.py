"""Going to the definition: from an alias to its anchor, from a name to the file that it means."""

import asyncio

from peft_daemon.language.anchors import Anchor, anchors
from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.mentions import mention_at, openable
from peft_daemon.lsp import types
from peft_daemon.lsp.params import TextDocumentPositionParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Alias, Entry, Mapping, Node, Sequence

_TOP: types.Range = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}


def definition(document: OpenDocument, position: types.Position) -> list[types.LocationLink]:
    """Return where what stands at a position is defined. It looks at files, so it may take a while."""
    offset = document.source.offset(position_from_lsp(position))
    found = anchors(document.document)
    for anchor in found:
        for start, end in anchor.places():
            if start <= offset <= end:
                return [_to_anchor(document, anchor, start, end)]
    merge = None if document.document.root is None else _merge_at(document.document.root, offset)
    if merge is not None:
        sources = merge.value.items if isinstance(merge.value, Sequence) else (merge.value,)
        owners = [anchor for source in sources for anchor in found if source in anchor.aliases]
        return [_to_anchor(document, anchor, merge.key.start, merge.key.end) for anchor in owners]
    mention = mention_at(document, offset)
    path = None if mention is None else openable(mention.path)
    if mention is None or path is None:
        return []
    origin = range_to_lsp(document.document.range(mention.node))
    return [
        {
            "originSelectionRange": origin,
            "targetUri": path.as_uri(),
            "targetRange": _TOP,
            "targetSelectionRange": _TOP,
        }
    ]


def _to_anchor(document: OpenDocument, anchor: Anchor, start: int, end: int) -> types.LocationLink:
    place = range_to_lsp(document.source.range(anchor.start, anchor.end))
    return {
        "originSelectionRange": range_to_lsp(document.source.range(start, end)),
        "targetUri": document.uri,
        "targetRange": place,
        "targetSelectionRange": place,
    }


def _merge_at(node: Node, offset: int) -> Entry | None:
    """Return the merge key that an offset touches."""
    if isinstance(node, Alias) or not node.start <= offset <= node.end:
        return None
    children: list[Node] = []
    if isinstance(node, Mapping):
        for entry in node.entries:
            if entry.merges and entry.key.start <= offset <= entry.key.end:
                return entry
        children = [entry.value for entry in node.entries]
    elif isinstance(node, Sequence):
        children = list(node.items)
    return next((found for child in children if (found := _merge_at(child, offset)) is not None), None)


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/definition`."""

    async def answer(params: TextDocumentPositionParams) -> list[types.LocationLink] | list[types.Location]:
        document = server.documents.get(params["textDocument"]["uri"])
        if document is None:
            return []
        links = await asyncio.to_thread(definition, document, params["position"])
        if server.can("textDocument.definition.linkSupport"):
            return links
        return [types.Location(uri=link["targetUri"], range=link["targetSelectionRange"]) for link in links]

    server.feature("textDocument/definition", answer)
