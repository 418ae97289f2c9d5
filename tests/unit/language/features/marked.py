"""Documents for tests of single features, with the cursor written as `¦`."""

from pathlib import Path
from typing import Any

from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features.semantic_tokens import Token
from peft_daemon.lsp.types import Position, Range, TextEdit
from peft_engine.config.text import SourceText
from peft_schemas import findings

MARK = "¦"
HERE = Path("/project/run.peft.yaml")


def opened(text: str, path: Path = HERE, version: int = 1) -> OpenDocument:
    """Return a document as the editor has it."""
    return OpenDocument(path.as_uri(), version, SourceText(text))


def saved(text: str, path: Path) -> OpenDocument:
    """Return a document that is on disk as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return opened(text, path)


def at(marked: str, path: Path = HERE) -> tuple[OpenDocument, Position]:
    """Return a document and the place of the mark in it."""
    source = SourceText(marked.replace(MARK, ""))
    position = source.position(marked.index(MARK))
    return opened(source.text, path), {"line": position.line, "character": position.character}


def shown(document: OpenDocument, range_: Range) -> str:
    """Return the text of a range."""
    start, end = (_offset(document, range_[side]) for side in ("start", "end"))
    return document.source.text[start:end]


def after(document: OpenDocument, edits: list[TextEdit]) -> str:
    """Return the text after edits, all of which count in the text before."""
    text = document.source.text
    for edit in sorted(edits, key=lambda edit: _offset(document, edit["range"]["start"]), reverse=True):
        start, end = (_offset(document, edit["range"][side]) for side in ("start", "end"))
        text = text[:start] + edit["newText"] + text[end:]
    return text


def token_text(document: OpenDocument, token: Token) -> str:
    """Return the text of a semantic token."""
    start: Position = {"line": token.line, "character": token.start}
    return shown(document, {"start": start, "end": {"line": token.line, "character": token.start + token.length}})


def _offset(document: OpenDocument, position: Any) -> int:
    return document.source.offset(findings.Position(**position))
