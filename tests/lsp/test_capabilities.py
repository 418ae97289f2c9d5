"""What the handshake announces is what is answered, and the other way round."""

import asyncio

from peft_daemon.capabilities import CAPABILITIES
from peft_daemon.language.check import check_text
from peft_daemon.language.features.diagnostics import to_diagnostic
from peft_daemon.lsp.errors import CONTENT_MODIFIED, SERVER_CANCELLED
from peft_daemon.lsp.params import PARAMS
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.text import SourceText
from tests.lsp.inprocess import Wire

ANNOUNCED = {
    "codeActionProvider": {"textDocument/codeAction"},
    "codeActionProvider.resolveProvider": {"codeAction/resolve"},
    "codeLensProvider": {"textDocument/codeLens"},
    "codeLensProvider.resolveProvider": {"codeLens/resolve"},
    "completionProvider": {"textDocument/completion"},
    "completionProvider.resolveProvider": {"completionItem/resolve"},
    "definitionProvider": {"textDocument/definition"},
    "diagnosticProvider": {"textDocument/diagnostic"},
    "diagnosticProvider.workspaceDiagnostics": {"workspace/diagnostic"},
    "documentFormattingProvider": {"textDocument/formatting"},
    "documentHighlightProvider": {"textDocument/documentHighlight"},
    "documentLinkProvider": {"textDocument/documentLink"},
    "documentLinkProvider.resolveProvider": {"documentLink/resolve"},
    "documentOnTypeFormattingProvider": {"textDocument/onTypeFormatting"},
    "documentRangeFormattingProvider": {"textDocument/rangeFormatting"},
    "documentSymbolProvider": {"textDocument/documentSymbol"},
    "executeCommandProvider": {"workspace/executeCommand"},
    "foldingRangeProvider": {"textDocument/foldingRange"},
    "hoverProvider": {"textDocument/hover"},
    "inlayHintProvider": {"textDocument/inlayHint"},
    "inlayHintProvider.resolveProvider": {"inlayHint/resolve"},
    "referencesProvider": {"textDocument/references"},
    "renameProvider": {"textDocument/rename"},
    "renameProvider.prepareProvider": {"textDocument/prepareRename"},
    "selectionRangeProvider": {"textDocument/selectionRange"},
    "semanticTokensProvider.full": {"textDocument/semanticTokens/full"},
    "semanticTokensProvider.full.delta": {"textDocument/semanticTokens/full/delta"},
    "semanticTokensProvider.range": {"textDocument/semanticTokens/range"},
    "workspaceSymbolProvider": {"workspace/symbol"},
    "workspaceSymbolProvider.resolveProvider": {"workspaceSymbol/resolve"},
    "workspace.fileOperations.willRename": {"workspace/willRenameFiles"},
}
"""The requests that LSP ties to each capability."""

URI = "untitled:a.peft.yaml"


def is_announced(path: str) -> bool:
    found = CAPABILITIES
    for part in path.split("."):
        found = found.get(part, False) if isinstance(found, dict) else False
    return found is not False


async def test_every_announced_request_is_answered_and_no_other(server: WorkbenchServer, wire: Wire) -> None:
    announced = set().union(*(methods for path, methods in ANNOUNCED.items() if is_announced(path)))
    await wire.ask(server, "peft/nothing")  # loads everything on the way to nobody
    answered = {method for method in PARAMS if server.answers(method)} - {"initialize"}
    assert answered == announced
    providers = {f"{name}" for name in CAPABILITIES if name.endswith("Provider")}
    assert providers <= {path.partition(".")[0] for path in ANNOUNCED}


def edit(server: WorkbenchServer, wire: Wire, version: int, text: str) -> None:
    params = {"textDocument": {"uri": URI, "version": version}, "contentChanges": [{"text": text}]}
    wire.tell(server, {"method": "textDocument/didChange", "params": params})


def published(wire: Wire) -> list[dict]:
    return [m["params"] for m in wire.messages if m.get("method") == "textDocument/publishDiagnostics"]


async def opened(server: WorkbenchServer, wire: Wire, text: str = "a: 1\n") -> None:
    item = {"uri": URI, "languageId": "peft-yaml", "version": 1, "text": text}
    wire.tell(server, {"method": "textDocument/didOpen", "params": {"textDocument": item}})


async def test_an_answer_about_a_document_that_was_edited_meanwhile_is_dropped(server, wire) -> None:
    going = asyncio.Event()

    async def slow(_: object) -> str:
        await going.wait()
        return "old"

    server.feature("peft/test/slow", slow)
    await opened(server, wire)
    params = {"textDocument": {"uri": URI}}
    ids = [wire.begin(server, "peft/test/slow", params)]
    await asyncio.sleep(0)
    edit(server, wire, 2, "a: 2\n")
    ids.append(wire.begin(server, "peft/test/slow", params))
    await asyncio.sleep(0)
    going.set()
    assert (await wire.response(ids[0]))["error"]["code"] == CONTENT_MODIFIED
    assert (await wire.response(ids[1]))["result"] == "old"


async def test_what_is_offered_arrives_although_typing_went_on(server, wire) -> None:
    await opened(server, wire, "training:\n  b\n")
    place = {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 3}}
    id_ = wire.begin(server, "textDocument/completion", place)
    edit(server, wire, 2, "training:\n  batch\n")
    assert "batch_size" in [item["label"] for item in (await wire.response(id_))["result"]]


async def test_pulled_diagnostics_of_an_old_version_are_given_up_to_be_asked_for_again(server, wire) -> None:
    await opened(server, wire)
    id_ = wire.begin(server, "textDocument/diagnostic", {"textDocument": {"uri": URI}})
    edit(server, wire, 2, "b: 2\n")
    error = (await wire.response(id_))["error"]
    assert (error["code"], error["data"]) == (SERVER_CANCELLED, {"retriggerRequest": True})


async def test_A10_versions_that_were_passed_over_are_never_published(server, wire) -> None:
    await opened(server, wire)
    for version in range(2, 60):
        edit(server, wire, version, f"version: {version}\n")
    async with asyncio.timeout(30):
        while not published(wire):
            await asyncio.sleep(0.01)
    assert [params["version"] for params in published(wire)] == [59]
    assert any("59" in diagnostic["message"] for diagnostic in published(wire)[0]["diagnostics"])


async def test_A10_after_many_rapid_edits_the_last_word_is_that_of_the_final_text(server, wire) -> None:
    text = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: org/d\ntraining:\n"
    typed = "  batch_size: 0\n  learning_rat: 1e-4 # é😀\nmethod: {r: 0}\n"
    assert len(typed) >= 50
    await opened(server, wire, text)
    for version, character in enumerate(typed, start=2):
        end = SourceText(text).position(len(text)).model_dump()
        edit = {"range": {"start": end, "end": end}, "text": character}
        params = {"textDocument": {"uri": URI, "version": version}, "contentChanges": [edit]}
        wire.tell(server, {"method": "textDocument/didChange", "params": params})
        text += character
        if version % 7 == 0:  # now and then the server gets a word in
            await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        while not published(wire) or server.diagnostics.busy:
            await asyncio.sleep(0.01)
    versions = [params["version"] for params in published(wire)]
    assert versions == sorted(set(versions))
    assert versions[-1] == 1 + len(typed)
    assert published(wire)[-1]["diagnostics"] == [to_diagnostic(URI, finding) for finding in check_text(text)]
