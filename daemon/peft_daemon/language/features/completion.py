"""Completion: the keys that a section does not have yet, and the values that a key takes."""

from collections.abc import Coroutine
from pathlib import Path as FilePath
from typing import Any

from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.cursor import Cursor, locate
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.glossary import explained
from peft_daemon.language.known import known
from peft_daemon.language.offers import pattern_of, value_offers
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import written
from peft_daemon.language.unwritten import unwritten
from peft_daemon.language.wording import facts
from peft_daemon.lsp import types
from peft_daemon.lsp.kinds import CompletionItemKind, InsertTextFormat, InsertTextMode
from peft_daemon.lsp.params import CompletionParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.document import Path
from peft_engine.config.nodes import Mapping, Scalar, effective_entries, target
from peft_engine.config.schema import Key, key_at, section_at
from peft_engine.config.text import SourceText

_STEP = "  "


def complete(subject: Subject, offset: int, *, snippets: bool, file: FilePath | None) -> list[types.CompletionItem]:
    """Return what can be written at a place.

    Args:
        subject: The document, which need not be valid, and what is known around it.
        offset: The cursor.
        snippets: Whether the editor understands placeholders.
        file: The document's own file.
    """
    document = subject.document
    cursor = locate(document, offset)
    if cursor is None:
        return []
    range_ = range_to_lsp(document.source.range(cursor.start, cursor.end))
    if cursor.kind == "key" and section_at(cursor.path) is not None:
        return _keys(subject, cursor, range_, snippets=snippets)
    return _values(subject, cursor, range_, file)


def documentation(subject: Subject, path: str) -> str | None:
    """Return what is shown beside an offered key: what it means, and what it comes to when it is left out."""
    key = key_at(tuple(part.removesuffix("[]") for part in path.split(".")))
    if key is None:
        return None
    otherwise = unwritten(subject, path)
    left_out = [] if otherwise is None else [f"Left out, it is {otherwise}."]
    return explained("\n\n".join([key.description, *left_out]))


def _keys(subject: Subject, cursor: Cursor, range_: types.Range, *, snippets: bool) -> list[types.CompletionItem]:
    section, holder = section_at(cursor.path), key_at(cursor.path)
    if section is None:
        return []
    if not cursor.flow and not _is_in_line(subject, cursor):
        return []
    # Directly below `datasets:` a new entry begins with its dash.
    dash = "- " if holder is not None and holder.is_list and not isinstance(cursor.path[-1], int) else ""
    taken = set() if dash else _taken(subject, cursor) | cursor.beside
    items = []
    for index, key in enumerate(section.keys.values()):
        if key.name in taken or (dash and not key.required) or _has_no_effect(subject, cursor.path, key):
            continue
        text = key.name if cursor.colon_follows else dash + _insertion(key, cursor, snippets=snippets, dash=dash)
        items.append(
            types.CompletionItem(
                label=key.name,
                kind=CompletionItemKind.Module if key.section else CompletionItemKind.Property,
                # Editors show it as it stands, and not as Markdown.
                detail=" · ".join(facts(key)).replace("`", ""),
                sortText=f"{0 if key.required else 1}{index:03}",
                filterText=dash + key.name,
                insertTextFormat=InsertTextFormat.Snippet if snippets else InsertTextFormat.PlainText,
                # The indentation of further lines is written out; an editor that adds its own would double it.
                insertTextMode=InsertTextMode.AsIs,
                textEdit={"range": range_, "newText": text},
                data={"path": pattern_of((*cursor.path, key.name))},
            )
        )
    return items


def _is_in_line(subject: Subject, cursor: Cursor) -> bool:
    """Tell whether a key at the cursor would belong to the block that it is meant for, and leave others whole."""
    if not subject.document.is_sound:  # while a line is being typed the tree says little about it
        return True
    if _is_within_deeper_lines(subject.document.source, cursor):
        return False
    place = subject.document.find(cursor.path)
    node = None if place is None else target(place.value)
    if node is None:
        return True
    if isinstance(node, Scalar):  # nothing yet, or the beginning of the section's first key
        return node.value is None or (node.start, node.end) == (cursor.start, cursor.end)
    source = subject.document.source
    return not node.flow and node.start - source.line_start(source.line_of(node.start)) == cursor.column


def _is_within_deeper_lines(source: SourceText, cursor: Cursor) -> bool:
    """Tell whether the next written line is indented further, so that a key here would cut it off its section."""
    for line in range(source.line_of(cursor.start) + 1, source.line_count):
        written_line = source.line(line)
        stripped = written_line.lstrip(" ")
        if stripped and not stripped.startswith("#"):
            return len(written_line) - len(stripped) > cursor.column
    return False


def _has_no_effect(subject: Subject, path: Path, key: Key) -> bool:
    """Tell whether a key means nothing under the method: full fine-tuning has no adapter."""
    if path != ("method",) or key.name == "type":
        return False
    method = subject.setting("method.type")
    return method is not None and method.value == "full"


def _taken(subject: Subject, cursor: Cursor) -> set[str]:
    """Return the keys that the section has already, but for the one under the cursor."""
    place = subject.document.find(cursor.path)
    mapping = None if place is None else target(place.value)
    if not isinstance(mapping, Mapping):
        return set()
    return {
        effective.entry.name
        for effective in effective_entries(mapping)
        if effective.via is not None or not effective.entry.key.start <= cursor.start <= effective.entry.key.end
    }


def _insertion(key: Key, cursor: Cursor, *, snippets: bool, dash: str = "") -> str:
    """Return a key with its colon and, where the editor can step through them, its values."""
    if key.section is not None:
        if cursor.flow:
            opening, closing = ("[{", "}]") if key.is_list else ("{", "}")
            return f"{key.name}: {opening}{'$0' if snippets else ''}{closing}"
        indent = " " * (cursor.column + len(dash)) + _STEP
        return f"{key.name}:\n{indent}{'- ' if key.is_list else ''}{'$0' if snippets else ''}"
    default = None if isinstance(key.default, list) else key.default
    if not snippets:
        return f"{key.name}: {'' if default is None else written(default)}"
    if isinstance(key.default, list):
        return f"{key.name}: [$1]"
    choices = [str(choice) for choice in key.choices] or (["true", "false"] if key.types == ("boolean",) else [])
    if len(choices) > 1:
        first = [written(default)] if default is not None else []
        ordered = first + [choice for choice in choices if choice not in first]
        return f"{key.name}: ${{1|{','.join(ordered)}|}}"
    value = written(default) if default is not None else next(iter(choices), "")
    return f"{key.name}: ${{1:{value}}}" if value else f"{key.name}: $1"


def _values(subject: Subject, cursor: Cursor, range_: types.Range, file: FilePath | None) -> list[types.CompletionItem]:
    path = cursor.path
    # A list of texts is written as one text, in brackets, or below its key with dashes.
    if path and isinstance(path[-1], int):
        path = path[:-1]
    key = key_at(path)
    below = cursor.kind == "key"
    if key is None or key.section is not None or (below and "list of texts" not in key.types):
        return []
    if below and not cursor.in_list and not _is_in_line(subject, cursor):
        return []
    before = "- " if below and not cursor.in_list else " " if cursor.space_needed else ""
    items = []
    offers = value_offers(subject, path, key, file=file, in_list=below or cursor.in_list)
    for index, offer in enumerate(offers):
        text = written(offer.value)
        items.append(
            types.CompletionItem(
                label=text,
                kind=CompletionItemKind.EnumMember if key.choices else CompletionItemKind.Value,
                detail=offer.detail if offer.is_supported else "not in this version",
                sortText=f"{0 if offer.is_supported else 1}{index:03}",
                filterText=before.lstrip() + text,
                textEdit={"range": range_, "newText": before + text},
            )
        )
    return items


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/completion` and fill in an item when it is looked at."""
    snippets = "textDocument.completion.completionItem.snippetSupport"

    # The text as it is when the question comes: editors filter the answer by what was typed since, and ask no second
    # time. So the document is looked up before the coroutine's first step, which further edits precede.
    def answer(params: CompletionParams) -> Coroutine[Any, Any, list[types.CompletionItem]]:
        return offer(server.documents.get(params["textDocument"]["uri"]), params["position"])

    async def offer(document: OpenDocument | None, position: types.Position) -> list[types.CompletionItem]:
        if document is None:
            return []
        subject = (await known(server, document)).subject
        offset = document.source.offset(position_from_lsp(position))
        items = complete(subject, offset, snippets=server.can(snippets), file=document.path)
        for item in items:
            if "data" in item:
                item["data"]["uri"] = document.uri
        return items

    async def resolve(item: types.CompletionItem) -> types.CompletionItem:
        data = item.get("data")
        if not isinstance(data, dict) or (document := server.documents.get(str(data.get("uri")))) is None:
            return item
        text = documentation((await known(server, document)).subject, str(data.get("path")))
        return item if text is None else {**item, "documentation": {"kind": "markdown", "value": text}}

    server.feature("textDocument/completion", answer)
    server.feature("completionItem/resolve", resolve)
