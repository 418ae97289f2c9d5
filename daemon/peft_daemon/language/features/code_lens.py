"""The lenses above a document: what can be done with it, and what it comes to."""

from peft_daemon.language.figures import estimate
from peft_daemon.language.known import known
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.wording import phrase
from peft_daemon.lsp import types
from peft_daemon.lsp.params import TextDocumentParams
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.estimate import FigureName

_SHOWN: tuple[FigureName, ...] = ("steps", "effective_batch", "trainable_parameters")
_TOP: types.Range = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}


def lenses(uri: str, subject: Subject) -> list[types.CodeLens]:
    """Return the lenses of a document. Their commands are the editor's; each gets the document's URI."""
    figures = {figure.name: figure for figure in estimate(subject).figures}
    numbers = [phrase(figures[name]) for name in _SHOWN if name in figures]
    return [
        _lens("Run", "peft.run", uri),
        _lens(" · ".join(["Estimate", *numbers]), "peft.estimate", uri),
        _lens("Dry run", "peft.dryRun", uri),
        _lens("Compare", "peft.compareConfigs", uri),
    ]


def _lens(title: str, command: str, uri: str) -> types.CodeLens:
    return {"range": _TOP, "command": {"title": title, "command": command, "arguments": [uri]}}


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/codeLens`."""

    async def answer(params: TextDocumentParams) -> list[types.CodeLens]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else lenses(document.uri, (await known(server, document)).subject)

    def refresh() -> None:
        if server.can("workspace.codeLens.refreshSupport"):
            server.spawn(server.request("workspace/codeLens/refresh"))

    server.feature("textDocument/codeLens", answer)
    server.world.on_change(refresh)
