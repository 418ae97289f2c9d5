"""Hover: what a key means, what it takes, and the value that a run would use."""

from pathlib import Path

from peft_daemon.language.binding import BoundKey, bind
from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.rules.places import dotted
from peft_daemon.language.rules.values import written
from peft_daemon.language.wording import facts
from peft_daemon.lsp import types
from peft_daemon.lsp.params import TextDocumentPositionParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Scalar
from peft_engine.config.resolve import explain_one
from peft_engine.config.schema import Key
from peft_schemas.explain import ExplainedValue

_UNTITLED = Path("untitled.peft.yaml")


def hover(document: OpenDocument, position: types.Position) -> types.Hover | None:
    """Return the hover at a position, None where no key of the language stands."""
    offset = document.source.offset(position_from_lsp(position))
    found = None
    for bound in bind(document.document).known:
        entry = bound.entry
        # What came through an alias stands elsewhere, under its own key.
        if bound.via is not None:
            continue
        for node in (entry.key, entry.value):
            if node.start <= offset <= node.end and (node is entry.key or isinstance(node, Scalar)):
                found = bound, node
    if found is None:
        return None
    bound, node = found
    value = None if bound.key.section is not None else _effective(document, bound)
    text = describe(dotted(bound.path), bound.key, value)
    content: types.MarkupContent = {"kind": "markdown", "value": text}
    return {"contents": content, "range": range_to_lsp(document.document.range(node))}


def describe(path: str, key: Key, value: ExplainedValue | None) -> str:
    """Return the text of a hover as Markdown."""
    lines = [f"**{path}** · {' · '.join(facts(key))}", "", key.description]
    if value is not None and value.value is not None:
        shown = ", ".join(map(str, value.value)) if isinstance(value.value, list) else written(value.value)
        reason = {"user": "written here", "default": "the default"}.get(value.origin, value.reason or value.origin)
        lines += ["", f"Effective value: `{shown}` ({reason.rstrip('.')})."]
    elif key.section is not None:
        lines += ["", "Keys: " + ", ".join(f"`{name}`" for name in key.section.keys) + "."]
    return "\n".join(lines)


def _effective(document: OpenDocument, bound: BoundKey) -> ExplainedValue | None:
    data = document.document.to_plain()
    if not isinstance(data, dict):
        return None
    return explain_one(data, dotted(bound.path), bound.key.default, source=document.path or _UNTITLED)


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/hover`."""

    def answer(params: TextDocumentPositionParams) -> types.Hover | None:
        document = server.documents.get(params["textDocument"]["uri"])
        return None if document is None else hover(document, params["position"])

    server.feature("textDocument/hover", answer)
