"""Document symbols: the outline of a config."""

from peft_daemon.language.convert import range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.rules.values import shorten
from peft_daemon.lsp.kinds import SymbolKind
from peft_daemon.lsp.params import TextDocumentParams
from peft_daemon.lsp.types import DocumentSymbol
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Alias, Mapping, Node, Scalar, Sequence


def symbols(document: OpenDocument) -> list[DocumentSymbol]:
    """Return the keys of a document as a tree."""
    root = document.document.root
    return [] if root is None else _children(document, root)


def _children(document: OpenDocument, node: Node) -> list[DocumentSymbol]:
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


def _symbol(document: OpenDocument, name: str, value: Node, span: tuple[int, int], selection: Node) -> DocumentSymbol:
    start, end = min(span[0], selection.start), max(span[1], selection.end)
    symbol = DocumentSymbol(
        name=name,
        kind=_kind(value),
        range=range_to_lsp(document.source.range(start, end)),
        selectionRange=range_to_lsp(document.document.range(selection)),
    )
    if (detail := _detail(value)) is not None:
        symbol["detail"] = detail
    if children := _children(document, value):
        symbol["children"] = children
    return symbol


def _detail(value: Node) -> str | None:
    if isinstance(value, Alias):
        return f"*{value.name}"
    return shorten(value.raw) if isinstance(value, Scalar) and value.raw else None


def _kind(value: Node) -> SymbolKind:
    match value:
        case Mapping():
            return SymbolKind.Module
        case Sequence():
            return SymbolKind.Array
        case Alias():
            return SymbolKind.Variable
        case Scalar(value=bool()):
            return SymbolKind.Boolean
        case Scalar(value=int() | float()):
            return SymbolKind.Number
        case Scalar(value=None):
            return SymbolKind.Null
    return SymbolKind.String


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/documentSymbol`."""

    def answer(params: TextDocumentParams) -> list[DocumentSymbol]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else symbols(document)

    server.feature("textDocument/documentSymbol", answer)
