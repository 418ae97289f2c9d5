"""The open documents, as the editor has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from peft_daemon.language.convert import range_from_lsp
from peft_daemon.lsp.params import (
    DidChangeTextDocumentParams,
    DidOpenTextDocumentParams,
    TextDocumentContentChangeEvent,
    TextDocumentParams,
)
from peft_daemon.lsp.uris import to_path
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.document import Document, parse
from peft_engine.config.text import SourceText


@dataclass(frozen=True)
class OpenDocument:
    """One version of an open document. An edit makes a new one; this one never changes."""

    uri: str
    version: int
    source: SourceText
    before: Document | None = field(default=None, repr=False)
    """An earlier version, from which parts that did not change are taken."""

    @cached_property
    def path(self) -> Path | None:
        """The file on disk; None when the document has none, as an untitled one."""
        return to_path(self.uri)

    @cached_property
    def document(self) -> Document:
        """The parsed text."""
        return parse(self.source, self.before)


class DocumentStore:
    """The newest version of every open document, by URI."""

    def __init__(self) -> None:
        self._open: dict[str, OpenDocument] = {}

    def __iter__(self) -> Iterator[OpenDocument]:
        return iter(list(self._open.values()))

    def get(self, uri: str) -> OpenDocument | None:
        """Return the newest version of a document, None when it is not open."""
        return self._open.get(uri)

    def open(self, uri: str, version: int, text: str) -> None:
        """Take a document that the editor opened."""
        self._open[uri] = OpenDocument(uri, version, SourceText(text))

    def change(self, uri: str, version: int, changes: Sequence[TextDocumentContentChangeEvent]) -> None:
        """Apply edits in their order: each range counts in the text that the edit before it left."""
        before = self._open.get(uri)
        if before is None:
            return
        source = before.source
        for change in changes:
            if "range" in change:
                source = source.replace(range_from_lsp(change["range"]), change["text"])
            else:
                source = SourceText(change["text"])
        # A version that nobody asked about was not parsed; then the one before it still knows most parts.
        parsed = before.__dict__.get("document", before.before)
        self._open[uri] = OpenDocument(uri, version, source, parsed)

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._open.pop(uri, None)


def register(server: WorkbenchServer) -> None:
    """Follow what the editor opens, edits and closes."""
    store = server.documents = DocumentStore()

    def did_open(params: DidOpenTextDocumentParams) -> None:
        item = params["textDocument"]
        store.open(item["uri"], item["version"], item["text"])

    def did_change(params: DidChangeTextDocumentParams) -> None:
        document = params["textDocument"]
        store.change(document["uri"], document["version"], params["contentChanges"])

    def did_close(params: TextDocumentParams) -> None:
        store.close(params["textDocument"]["uri"])

    server.listen("textDocument/didOpen", did_open)
    server.listen("textDocument/didChange", did_change)
    server.listen("textDocument/didClose", did_close)
