"""Selection ranges: from the text of a value outwards to its entry, its section and the document."""

from collections.abc import Generator, Iterator

from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.lsp import types
from peft_daemon.lsp.params import SelectionRangeParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Entry, Mapping, Node, Scalar, Sequence


def selection_range(document: OpenDocument, position: types.Position) -> types.SelectionRange:
    """Return the ranges around a position, the smallest with the others as its parents."""
    offset = document.source.offset(position_from_lsp(position))
    result: types.SelectionRange = {"range": range_to_lsp(document.source.range(0, len(document.source)))}
    outer = (0, len(document.source))
    for span in _spans(document, offset):
        # An entry may be all that its section has; a range that is no smaller would be a step without effect.
        if span != outer and outer[0] <= span[0] and span[1] <= outer[1]:
            result = {"range": range_to_lsp(document.source.range(*span)), "parent": result}
            outer = span
    return result


def _spans(document: OpenDocument, offset: int) -> Iterator[tuple[int, int]]:
    """Yield what holds an offset, the largest first."""
    node = document.document.root
    while node is not None and node.start <= offset <= node.end:
        yield node.start, node.end
        if isinstance(node, Scalar):
            if node.style in ("single", "double") and node.start < offset < node.end:
                yield node.start + 1, node.end - 1
            break
        node = yield from _below(node, offset)
    yield from (span for span in document.document.comments if span[0] <= offset <= span[1])


def _below(node: Node, offset: int) -> Generator[tuple[int, int], None, Node | None]:
    """Yield the entry that holds an offset and return the node in it to go on with."""
    if isinstance(node, Mapping):
        entry = next((entry for entry in node.entries if _start(entry) <= offset <= entry.end), None)
        if entry is not None:
            yield _start(entry), entry.end
            return entry.key if entry.key.start <= offset <= entry.key.end else entry.value
    elif isinstance(node, Sequence):
        return next((item for item in node.items if item.start <= offset <= item.end), None)
    return None


def _start(entry: Entry) -> int:
    return min(entry.start, entry.key.start)


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/selectionRange`."""

    def answer(params: SelectionRangeParams) -> list[types.SelectionRange] | None:
        document = server.documents.get(params["textDocument"]["uri"])
        return None if document is None else [selection_range(document, place) for place in params["positions"]]

    server.feature("textDocument/selectionRange", answer)
