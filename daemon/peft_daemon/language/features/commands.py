"""Commands for editors that know nothing but LSP: what a config comes to, and everything repaired."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from peft_daemon.capabilities import COMMANDS
from peft_daemon.language.check import check_document
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features.workspace_edit import Abilities, workspace_edit
from peft_daemon.language.figures import estimate
from peft_daemon.language.fix_all import is_worthwhile, repaired
from peft_daemon.language.known import known
from peft_daemon.language.pages import effective_page, estimate_page
from peft_daemon.language.refactoring.offer import Change
from peft_daemon.lsp.errors import CONTENT_MODIFIED, INVALID_PARAMS, REQUEST_FAILED, ResponseError
from peft_daemon.lsp.params import ExecuteCommandParams
from peft_daemon.workbench import WorkbenchServer

_LABEL = "Repair everything"


def register(server: WorkbenchServer) -> None:
    """Answer `workspace/executeCommand`."""

    async def show_estimate(document: OpenDocument) -> str:
        return estimate_page(estimate((await known(server, document)).subject))

    async def show_effective(document: OpenDocument) -> str:
        return effective_page((await known(server, document)).subject)

    async def fix_all(document: OpenDocument) -> bool:
        if not server.can("workspace.applyEdit"):
            raise ResponseError(REQUEST_FAILED, "This editor takes no edits from a server; use the code action.")
        revision = await known(server, document)
        findings = await asyncio.to_thread(check_document, revision.document, revision.context)
        if not is_worthwhile(revision, findings):
            return False
        # Repairing everything judges the document again and again.
        after = await asyncio.to_thread(repaired, revision)
        if server.documents.get(document.uri) is not document:
            raise ResponseError(CONTENT_MODIFIED, "The document was edited while it was repaired.")
        change = Change(after.edits_from(revision.document))
        edit = workspace_edit(document, change, Abilities.of(server), label=_LABEL)
        answer = await server.request("workspace/applyEdit", {"label": _LABEL, "edit": edit})
        return isinstance(answer, dict) and answer.get("applied") is True

    by_name: dict[str, Callable[[OpenDocument], Awaitable[Any]]] = dict(
        zip(COMMANDS, (show_estimate, show_effective, fix_all), strict=True)
    )

    async def answer(params: ExecuteCommandParams) -> Any:
        command = by_name.get(params["command"])
        if command is None:
            raise ResponseError(INVALID_PARAMS, f"There is no command `{params['command']}`.")
        return await command(_document(server, params.get("arguments", [])))

    server.feature("workspace/executeCommand", answer)


def _document(server: WorkbenchServer, arguments: list[Any]) -> OpenDocument:
    """Return the document that a command is about: the one that is named, or the only one that is open."""
    if arguments:
        found = server.documents.get(arguments[0]) if isinstance(arguments[0], str) else None
        if found is None:
            raise ResponseError(INVALID_PARAMS, "The argument is the URI of an open config.")
        return found
    opened = list(server.documents)
    if len(opened) != 1:
        raise ResponseError(INVALID_PARAMS, "Several configs are open, or none: name one by its URI.")
    return opened[0]
