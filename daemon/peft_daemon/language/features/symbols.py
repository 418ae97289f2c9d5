"""Document symbols: the outline of a config."""

from lsprotocol import types

from peft_daemon.language.convert import range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.rules.values import shorten
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Alias, Mapping, Node, Scalar, Sequence


def symbols(document: OpenDocument) -> list[types.DocumentSymbol]:
    """Return the keys of a document as a tree."""
    root = document.document.root
    return [] if root is None else _children(document, root)


def _children(document: OpenDocument, node: Node) -> list[types.DocumentSymbol]:
    if isinstance(node, Mapping):
        return [
            _symbol(document, shorten(entry.name) or "?", entry.value, (entry.start, entry.end), entry.key)
            for entry in node.entries
        ]
    if isinstance(node, Sequence):
        return [
            _symbol(document, f"[{index}]", item, (item.start, item.end), item) for index, item in enumerate(node.items)
        ]
    return []


def _symbol(
    document: OpenDocument, name: str, value: Node, span: tuple[int, int], selection: Node
) -> types.DocumentSymbol:
    start, end = min(span[0], selection.start), max(span[1], selection.end)
    return types.DocumentSymbol(
        name=name,
        detail=_detail(value),
        kind=_kind(value),
        range=range_to_lsp(document.source.range(start, end)),
        selection_range=range_to_lsp(document.document.range(selection)),
        children=_children(document, value) or None,
    )


def _detail(value: Node) -> str | None:
    if isinstance(value, Alias):
        return f"*{value.name}"
    return shorten(value.raw) if isinstance(value, Scalar) and value.raw else None


def _kind(value: Node) -> types.SymbolKind:
    match value:
        case Mapping():
            return types.SymbolKind.Module
        case Sequence():
            return types.SymbolKind.Array
        case Alias():
            return types.SymbolKind.Variable
        case Scalar(value=bool()):
            return types.SymbolKind.Boolean
        case Scalar(value=int() | float()):
            return types.SymbolKind.Number
        case Scalar(value=None):
            return types.SymbolKind.Null
    return types.SymbolKind.String


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/documentSymbol`."""

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def answer(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        document = server.documents.get(params.text_document.uri)
        return [] if document is None else symbols(document)
