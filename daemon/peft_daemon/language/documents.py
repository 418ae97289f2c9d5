"""The open documents, as the editor has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lsprotocol import types
from pygls.uris import to_fs_path

from peft_daemon.language.convert import range_from_lsp
from peft_engine.config.document import Document, parse
from peft_engine.config.text import SourceText


@dataclass(frozen=True)
class OpenDocument:
    """One version of an open document. An edit makes a new one; this one never changes."""

    uri: str
    version: int
    source: SourceText

    @cached_property
    def path(self) -> Path | None:
        """The file on disk; None when the document has none, as an untitled one."""
        path = to_fs_path(self.uri) if self.uri.startswith("file:") else None
        return None if path is None else Path(path)

    @cached_property
    def document(self) -> Document:
        """The parsed text."""
        return parse(self.source)


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

    def change(self, uri: str, version: int, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """Apply edits in their order: each range counts in the text that the edit before it left."""
        before = self._open.get(uri)
        if before is None:
            return
        source = before.source
        for change in changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                source = source.replace(range_from_lsp(change.range), change.text)
            else:
                source = SourceText(change.text)
        self._open[uri] = OpenDocument(uri, version, source)

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._open.pop(uri, None)
