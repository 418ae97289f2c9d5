"""Hover: what a key means, what it takes, the value that a run would use, and what stands behind it."""

from peft_daemon.language.about import about
from peft_daemon.language.binding import BoundKey
from peft_daemon.language.choices import choice_meaning
from peft_daemon.language.convert import position_from_lsp, range_to_lsp
from peft_daemon.language.glossary import explained
from peft_daemon.language.known import known
from peft_daemon.language.rules.places import dotted
from peft_daemon.language.rules.subject import Subject, written_value
from peft_daemon.language.unwritten import unwritten
from peft_daemon.language.wording import facts
from peft_daemon.lsp import types
from peft_daemon.lsp.params import TextDocumentPositionParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Node, Scalar, Sequence, plain
from peft_engine.config.schema import Key, Section


def hover(subject: Subject, offset: int) -> types.Hover | None:
    """Return the hover at an offset, None where no key of the language stands."""
    found = _at(subject, offset)
    if found is None:
        return None
    bound, node = found
    content: types.MarkupContent = {"kind": "markdown", "value": describe(subject, bound)}
    return {"contents": content, "range": range_to_lsp(subject.document.range(node))}


def describe(subject: Subject, bound: BoundKey) -> str:
    """Return the text of a hover as Markdown."""
    key, path = bound.key, dotted(bound.path)
    parts = [f"**{path}** · {' · '.join(facts(key))}", key.description]
    if key.section is None:
        parts += filter(
            None, (_effective(subject, bound, path), about(_pattern(bound), _plain(bound), subject.context))
        )
    elif key.is_list or "[" in path:
        parts.append("Keys: " + ", ".join(f"`{name}`" for name in key.section.keys) + ".")
    else:
        parts.append(_table(subject, path, key.section))
    return explained("\n\n".join(parts))


def _at(subject: Subject, offset: int) -> tuple[BoundKey, Node] | None:
    """Return the innermost key whose name or value holds an offset, and which of the two does."""
    found = None
    for bound in subject.binding.known:
        # What came through an alias stands elsewhere, under its own key.
        if bound.via is not None:
            continue
        for node in (bound.entry.key, bound.entry.value):
            is_value = isinstance(node, Scalar) or (isinstance(node, Sequence) and not bound.key.is_list)
            if node.start <= offset <= node.end and (node is bound.entry.key or is_value):
                found = bound, node
    return found


def _effective(subject: Subject, bound: BoundKey, path: str) -> str:
    value = _plain(bound)
    otherwise = unwritten(subject, path)
    left_out = "" if otherwise is None or otherwise.value in (None, value) else f" Left out, it would be {otherwise}."
    if value is None:
        return left_out.strip()
    meaning = choice_meaning(_pattern(bound), value) if isinstance(value, str | int) else None
    means = f" It means: {meaning}." if meaning is not None else ""
    return f"Effective value: `{written_value(value)}` (written here).{means}{left_out}"


def _table(subject: Subject, path: str, section: Section) -> str:
    """Return the effective values of a section, written or not, each with its origin."""
    rows = ["| key | value | from |", "|---|---|---|"]
    for key in section.keys.values():
        rows += filter(None, [_row(subject, f"{path}.{key.name}", key)])
    return "\n".join(rows)


def _row(subject: Subject, path: str, key: Key) -> str | None:
    if key.section is not None:
        return f"| `{key.name}` | … | |"
    setting = subject.setting(path)
    if setting is None:
        return f"| `{key.name}` | ? | |"
    value = "" if setting.value is None else f"`{written_value(setting.value)}`"
    origin = "you" if setting.origin == "user" else setting.origin
    # A bar would end the cell, even inside a code span.
    return f"| `{key.name}` | {value.replace('|', chr(92) + '|')} | {origin} |"


def _plain(bound: BoundKey) -> object:
    return plain(bound.entry.value)


def _pattern(bound: BoundKey) -> str:
    """Return the dotted path with `[]` for every list: `datasets[].path`."""
    return dotted(tuple(part for part in bound.path if isinstance(part, str))).replace("datasets.", "datasets[].")


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/hover`."""

    async def answer(params: TextDocumentPositionParams) -> types.Hover | None:
        document = server.documents.get(params["textDocument"]["uri"])
        if document is None:
            return None
        return hover(
            (await known(server, document)).subject, document.source.offset(position_from_lsp(params["position"]))
        )

    server.feature("textDocument/hover", answer)
