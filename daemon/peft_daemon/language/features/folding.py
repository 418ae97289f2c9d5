"""Folding: sections, list entries and blocks of comments."""

from collections.abc import Iterator

from peft_daemon.language.documents import OpenDocument
from peft_daemon.lsp.params import TextDocumentParams
from peft_daemon.lsp.types import FoldingRange
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Mapping, Node, Sequence


def folding_ranges(document: OpenDocument) -> list[FoldingRange]:
    """Return what can be folded, from the top down."""
    spans = set()
    if document.document.root is not None:
        spans = set(_spans(document.document.root))
    lines = {(document.source.line_of(start), document.source.line_of(end)) for start, end in spans}
    ranges = [FoldingRange(startLine=first, endLine=last) for first, last in lines if first < last]
    ranges += [FoldingRange(startLine=first, endLine=last, kind="comment") for first, last in _notes(document)]
    return sorted(ranges, key=lambda folding: (folding["startLine"], -folding["endLine"]))


def _spans(node: Node) -> Iterator[tuple[int, int]]:
    if isinstance(node, Mapping):
        for entry in node.entries:
            yield entry.start, entry.end
            yield from _spans(entry.value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield item.start, item.end
            yield from _spans(item)


def _notes(document: OpenDocument) -> Iterator[tuple[int, int]]:
    """Yield the first and last line of each block of whole-line comments."""
    source = document.source
    lines = sorted(
        source.line_of(start)
        for start, _ in document.document.comments
        if source.line(source.line_of(start)).lstrip().startswith("#")
    )
    first = last = None
    for line in [*lines, None]:
        if last is not None and line == last + 1:
            last = line
            continue
        if first is not None and last is not None and last > first:
            yield first, last
        first = last = line


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/foldingRange`."""

    def answer(params: TextDocumentParams) -> list[FoldingRange]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else folding_ranges(document)

    server.feature("textDocument/foldingRange", answer)
