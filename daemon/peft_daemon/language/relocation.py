"""What configs have to write once files have moved, so that they still mean the same files."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from peft_daemon.language.convert import range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.mentions import Mention, mentions
from peft_daemon.language.rules.values import written
from peft_daemon.lsp import types
from peft_engine.config.nodes import Scalar
from peft_engine.config.presets import FOLDER
from peft_engine.home import home

Moved = Callable[[Path], Path]
"""Gives the new place of a file or folder, which is the old one when it stays."""


@dataclass(frozen=True)
class Rewritten:
    """A document and the edits that it needs."""

    document: OpenDocument
    edits: list[types.TextEdit]


def moved_by(renames: Sequence[tuple[Path, Path]]) -> Moved:
    """Return where renames of files and folders bring everything."""

    def moved(path: Path) -> Path:
        for before, after in renames:
            if path == before or before in path.parents:
                return after / path.relative_to(before)
        return path

    return moved


def rewrite(documents: Iterable[OpenDocument], moved: Moved) -> list[Rewritten]:
    """Return the edits of every config that names what moves, or that moves itself."""
    rewritten = []
    for document in documents:
        edits = [] if document.path is None else _edits(document, document.path, moved)
        if edits:
            rewritten.append(Rewritten(document, edits))
    return rewritten


def name_edit(document: OpenDocument, node: Scalar, text: str) -> types.TextEdit:
    """Return the edit that writes another name in the quotes that a value has already."""
    if node.style == "single":
        new_text = "'" + text.replace("'", "''") + "'"
    else:
        new_text = json.dumps(text, ensure_ascii=False) if node.style == "double" else written(text)
    return {"range": range_to_lsp(document.document.range(node)), "newText": new_text}


def workspace_edit(
    rewritten: Iterable[Rewritten], renames: Iterable[tuple[Path, Path]] = (), *, as_document_changes: bool
) -> types.WorkspaceEdit:
    """Return edits of several documents as one.

    Args:
        rewritten: The documents and their edits.
        renames: Files that get another name behind that.
        as_document_changes: Whether the editor takes versions and file operations; without, nothing can be renamed.
    """
    if not as_document_changes:
        return {"changes": {one.document.uri: one.edits for one in rewritten}}
    changes: list[types.TextDocumentEdit | types.CreateFile | types.RenameFile] = [
        {
            "textDocument": {"uri": one.document.uri, "version": one.document.version or None},
            "edits": list(one.edits),
        }
        for one in rewritten
    ]
    changes += [{"kind": "rename", "oldUri": old.as_uri(), "newUri": new.as_uri()} for old, new in renames]
    return {"documentChanges": changes}


def _edits(document: OpenDocument, config: Path, moved: Moved) -> list[types.TextEdit]:
    return [
        name_edit(document, mention.node, text)
        for mention in mentions(document)
        if (text := _after_move(mention, config, moved)) is not None
    ]


def _after_move(mention: Mention, config: Path, moved: Moved) -> str | None:
    """Return what a config should write for what it names, None when that stays as it is."""
    if mention.path is None or mention.is_shipped:
        return None
    before, after = config.parent, moved(config).parent
    place = moved(mention.path)
    if mention.kind == "preset":
        is_found = place.parent in (after / FOLDER, home() / FOLDER) and place.suffix == ".yaml"
        return place.stem if is_found and place.stem != mention.text else None
    if (place, after) == (mention.path, before) or not mention.is_local:
        return None
    text = _written_path(mention.text, place, after)
    return None if os.path.normpath(text) == os.path.normpath(mention.text) else text


def _written_path(before: str, place: Path, folder: Path) -> str:
    """Write a path in the manner in which it was written: from the root, from the home folder, or from the config."""
    if before.startswith("~") and place.is_relative_to(Path.home()):
        return (Path("~") / place.relative_to(Path.home())).as_posix()
    if before.startswith("~") or Path(before).is_absolute():
        return place.as_posix()
    try:
        relative = Path(os.path.relpath(place, folder)).as_posix()
    except ValueError:  # another drive
        return place.as_posix()
    return f"./{relative}" if before.startswith("./") and not relative.startswith(".") else relative
