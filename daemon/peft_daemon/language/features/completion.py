"""Completion: the keys that a section does not have yet, and the values that a key takes."""

from peft_daemon.language.world.files import data_files
from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.cursor import Cursor, locate
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.rules.values import written
from peft_daemon.language.wording import facts, type_of
from peft_daemon.lsp import types
from peft_daemon.lsp.kinds import CompletionItemKind, InsertTextFormat, InsertTextMode
from peft_daemon.lsp.params import CompletionParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.capabilities import TRAINABLE_METHODS, TRAINABLE_QUANTIZATIONS
from peft_engine.config.nodes import Mapping, effective_entries, target
from peft_engine.config.resolve import run_name
from peft_engine.config.schema import Key, key_at, section_at
from peft_engine.profiles import known_models, load_profile, load_template

_STEP = "  "
_SUPPORTED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("method", "type"): TRAINABLE_METHODS,
    ("model", "quantization"): TRAINABLE_QUANTIZATIONS,
}
"""The values of a key that this version can train with, where it cannot with all."""


def complete(document: OpenDocument, position: types.Position, *, snippets: bool) -> list[types.CompletionItem]:
    """Return what can be written at a position.

    Args:
        document: The document, which need not be valid.
        position: The cursor.
        snippets: Whether the editor understands placeholders.
    """
    cursor = locate(document.document, document.source.offset(position_from_lsp(position)))
    if cursor is None:
        return []
    range_ = range_to_lsp(document.source.range(cursor.start, cursor.end))
    if cursor.kind == "key":
        return _keys(document, cursor, range_, snippets=snippets)
    return _values(document, cursor, range_)


def _keys(document: OpenDocument, cursor: Cursor, range_: types.Range, *, snippets: bool) -> list[types.CompletionItem]:
    section = section_at(cursor.path)
    holder = key_at(cursor.path)
    if section is None:
        return []
    # Directly below `datasets:` a new entry begins with its dash.
    dash = "- " if holder is not None and holder.is_list and not isinstance(cursor.path[-1], int) else ""
    taken = set() if dash else _taken(document, cursor) | cursor.beside
    items = []
    for index, key in enumerate(section.keys.values()):
        if key.name in taken or (dash and not key.required):
            continue
        text = key.name if cursor.colon_follows else dash + _insertion(key, cursor, snippets=snippets, dash=dash)
        items.append(
            types.CompletionItem(
                label=key.name,
                kind=CompletionItemKind.Module if key.section else CompletionItemKind.Property,
                detail=" · ".join(facts(key)),
                documentation={"kind": "markdown", "value": key.description},
                sortText=f"{0 if key.required else 1}{index:03}",
                filterText=dash + key.name,
                insertTextFormat=InsertTextFormat.Snippet if snippets else InsertTextFormat.PlainText,
                # The indentation of further lines is written out; an editor that adds its own would double it.
                insertTextMode=InsertTextMode.AsIs,
                textEdit={"range": range_, "newText": text},
            )
        )
    return items


def _taken(document: OpenDocument, cursor: Cursor) -> set[str]:
    """Return the keys that the section has already, but for the one under the cursor."""
    place = document.document.find(cursor.path)
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
    if not snippets:
        return f"{key.name}: {written(key.default) if key.default is not None else ''}".rstrip(" ") + (
            "" if key.default is not None else " "
        )
    choices = [str(choice) for choice in key.choices] or (["true", "false"] if key.types == ("boolean",) else [])
    if len(choices) > 1:
        first = [written(key.default)] if key.default is not None else []
        ordered = first + [choice for choice in choices if choice not in first]
        return f"{key.name}: ${{1|{','.join(ordered)}|}}"
    default = written(key.default) if key.default is not None else next(iter(choices), "")
    return f"{key.name}: ${{1:{default}}}" if default else f"{key.name}: $1"


def _values(document: OpenDocument, cursor: Cursor, range_: types.Range) -> list[types.CompletionItem]:
    path = tuple(part for part in cursor.path if isinstance(part, str))
    key = key_at(cursor.path)
    if key is None or key.section is not None or (cursor.path and isinstance(cursor.path[-1], int)):
        return []
    supported = _SUPPORTED.get(path)
    items = []
    for index, (value, detail) in enumerate(_offers(document, path, key)):
        missing = supported is not None and value not in supported
        text = written(value)
        items.append(
            types.CompletionItem(
                label=text,
                kind=CompletionItemKind.EnumMember if key.choices else CompletionItemKind.Value,
                detail="not in this version" if missing else detail,
                sortText=f"{1 if missing else 0}{index:03}",
                textEdit={"range": range_, "newText": (" " if cursor.space_needed else "") + text},
            )
        )
    return items


def _offers(document: OpenDocument, path: tuple[str, ...], key: Key) -> list[tuple[object, str]]:
    """Return the values worth offering for a key, each with a word about it, the likeliest first."""
    offers: list[tuple[object, str]] = []
    if key.name == "profile":
        return [(name, load_profile(name).title) for name in key.choices]
    if key.name == "template":
        return [(name, load_template(name).title) for name in key.choices]
    if path == ("model", "base"):
        return [(name, f"{model.licence}, known offline") for name, model in known_models().items()]
    if path == ("datasets", "path") and document.path is not None:
        return [(name, "a file here") for name in data_files(document.path.parent)]
    if path == ("name",) and document.path is not None:
        return [(run_name(document.path), "the name of this file")]
    if key.default is not None:
        offers.append((key.default, "the default"))
    choices = key.choices or ((True, False) if key.types == ("boolean",) else ())
    offers += [(choice, type_of(key) if not key.choices else "") for choice in choices if choice != key.default]
    return offers


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/completion`."""
    snippets = "textDocument.completion.completionItem.snippetSupport"

    def answer(params: CompletionParams) -> list[types.CompletionItem]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else complete(document, params["position"], snippets=server.can(snippets))

    server.feature("textDocument/completion", answer)
