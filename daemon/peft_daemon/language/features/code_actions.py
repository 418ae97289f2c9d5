"""Code actions: the fixes of the findings under the cursor, everything at once, and changes of the whole config."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from peft_daemon.language.check import check_document
from peft_daemon.language.convert import fix_to_lsp, position_from_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features.diagnostics import to_diagnostic
from peft_daemon.language.features.workspace_edit import Abilities, workspace_edit
from peft_daemon.language.fix_all import is_worthwhile, repaired
from peft_daemon.language.ignored import ignoring
from peft_daemon.language.known import known
from peft_daemon.language.refactoring.offer import Change, Conflict
from peft_daemon.language.refactoring.offers import offered
from peft_daemon.language.revision import NotInPlace, Revision
from peft_daemon.language.wording import counted
from peft_daemon.lsp import types
from peft_daemon.lsp.errors import CONTENT_MODIFIED, REQUEST_FAILED, ResponseError
from peft_daemon.lsp.params import CodeActionParams
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.findings import Finding, Position

_QUICK_FIX = "quickfix"
_FIX_ALL = "source.fixAll.peft"
_FIX_ALL_TITLE = "Fix all that can be repaired"
_AUTOMATIC = 2
"""LSP's trigger kind of a request that nobody made by hand, as when a file is saved."""


@dataclass(frozen=True)
class Wanted:
    """What a request asks for."""

    start: Position
    end: Position
    only: tuple[str, ...] | None
    """Kinds; None for all."""

    by_hand: bool

    def includes(self, kind: str) -> bool:
        """Tell whether a kind, or one that holds it, is asked for."""
        return self.only is None or any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in self.only)


def quick_fixes(document: OpenDocument, findings: list[Finding], wanted: Wanted) -> Iterator[types.CodeAction]:
    """Yield an action for each fix of each finding that touches the range, and for a remark one that ignores it.

    The first fix of a finding is preferred.
    """
    start, end = _key(wanted.start), _key(wanted.end)
    for finding in findings:
        if not wanted.includes(_QUICK_FIX) or _key(finding.range.start) > end or start > _key(finding.range.end):
            continue
        ignore = ignoring(document.document, finding)
        for index, fix in enumerate([*finding.fixes, *([] if ignore is None else [ignore])]):
            yield {
                "title": fix.title,
                "kind": _QUICK_FIX,
                "diagnostics": [to_diagnostic(document.uri, finding)],
                "edit": fix_to_lsp(document.uri, fix),
                "isPreferred": index == 0 and fix is not ignore,
            }


def larger_changes(
    document: OpenDocument, revision: Revision, findings: list[Finding], wanted: Wanted, abilities: Abilities
) -> Iterator[types.CodeAction]:
    """Yield the actions whose edits are worked out only when one is chosen."""
    line = wanted.start.line
    if wanted.includes(_FIX_ALL) and is_worthwhile(revision, findings):
        data = _data(document, _FIX_ALL, line, by_hand=wanted.by_hand)
        yield {"title": _FIX_ALL_TITLE, "kind": _FIX_ALL, "data": data}
    for offer in offered(revision, line):
        if wanted.includes(offer.kind) and (abilities.creates_files or ".extract." not in offer.kind):
            yield {"title": offer.title, "kind": offer.kind, "data": _data(document, offer.id, line)}


def resolved(
    action: types.CodeAction, document: OpenDocument, revision: Revision, abilities: Abilities
) -> types.CodeAction:
    """Return an action with its edit.

    Raises:
        ResponseError: The document is written so that it cannot be made in place.
    """
    data = action["data"]
    if data["id"] == _FIX_ALL:
        after = repaired(revision)
        change = Change(after.edits_from(revision.document))
        description = _effect(revision, after)
        edit = workspace_edit(
            document, change, abilities, label=_FIX_ALL_TITLE, description=description, announce=data["byHand"]
        )
        return {**action, "edit": edit}
    offer = next((offer for offer in offered(revision, data["line"]) if offer.id == data["id"]), None)
    if offer is None:
        raise ResponseError(CONTENT_MODIFIED, "This change is no longer offered here.")
    try:
        change = offer.change()
    except NotInPlace as place:
        text = f"`{place}` is written so that it cannot be changed in place, as by an alias or in one line."
        raise ResponseError(REQUEST_FAILED, text) from None
    except Conflict as conflict:
        raise ResponseError(REQUEST_FAILED, f"This does not go with the rest of the config: {conflict}") from None
    return {**action, "edit": workspace_edit(document, change, abilities, label=offer.title)}


def _effect(before: Revision, after: Revision) -> str:
    counts = [len(check_document(revision.document, revision.context)) for revision in (before, after)]
    return f"{counted(counts[0], 'finding')} before, {counts[1]} after."


def _data(document: OpenDocument, id_: str, line: int, *, by_hand: bool = True) -> dict[str, Any]:
    return {"uri": document.uri, "version": document.version, "id": id_, "line": line, "byHand": by_hand}


def _wanted(params: CodeActionParams) -> Wanted:
    range_, context = params["range"], params["context"]
    only = context.get("only")
    return Wanted(
        position_from_lsp(range_["start"]),
        position_from_lsp(range_["end"]),
        None if only is None else tuple(only),
        context.get("triggerKind") != _AUTOMATIC,
    )


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/codeAction`, and work out the edit of an action that is chosen."""

    async def answer(params: CodeActionParams) -> list[types.CodeAction]:
        document = server.documents.get(params["textDocument"]["uri"])
        if document is None:
            return []
        wanted, abilities = _wanted(params), Abilities.of(server)
        findings = await server.diagnostics.findings(document)
        revision = await known(server, document)
        larger = list(larger_changes(document, revision, findings, wanted, abilities))
        if not abilities.resolves_edits:
            larger = [action for one in larger if (action := _at_once(one, document, revision, abilities)) is not None]
        return [*quick_fixes(document, findings, wanted), *larger]

    async def resolve(action: types.CodeAction) -> types.CodeAction:
        data = action.get("data")
        if not isinstance(data, dict):
            return action
        document = server.documents.get(data["uri"])
        if document is None or document.version != data["version"]:
            raise ResponseError(CONTENT_MODIFIED, "The document was edited since this was offered.")
        revision = await known(server, document)
        # Repairing everything judges the document again and again.
        return await asyncio.to_thread(resolved, action, document, revision, Abilities.of(server))

    server.feature("textDocument/codeAction", answer)
    server.feature("codeAction/resolve", resolve)


def _at_once(
    action: types.CodeAction, document: OpenDocument, revision: Revision, abilities: Abilities
) -> types.CodeAction | None:
    """Return an action with its edit for an editor that never asks for it, None when it cannot be made."""
    try:
        return resolved(action, document, revision, abilities)
    except ResponseError:
        return None


def _key(position: Position) -> tuple[int, int]:
    return position.line, position.character
