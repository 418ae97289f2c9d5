"""Workspace diagnostics: the findings of every config of the workspace, those that are not open included."""

import asyncio
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from peft_daemon.language.check import check_document
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features.diagnostics import to_diagnostic
from peft_daemon.language.workspace import MAX_CONFIGS
from peft_daemon.lsp import types
from peft_daemon.lsp.errors import SERVER_CANCELLED, ResponseError
from peft_daemon.lsp.kinds import MessageType
from peft_daemon.lsp.params import DidChangeWatchedFilesParams, DocumentDiagnosticParams, WorkspaceDiagnosticParams
from peft_daemon.workbench import WorkbenchServer

Report = types.WorkspaceFullDocumentDiagnosticReport | types.WorkspaceUnchangedDocumentDiagnosticReport


@dataclass(frozen=True)
class _Checked:
    """What was found in a config that is not open."""

    document: OpenDocument
    world: int
    """Which state of what is around it was looked at."""

    id: str
    items: list[types.Diagnostic]


class WorkspaceDiagnostics:
    """Reports on one config after another. Editors ask every few seconds, so what holds is not worked out again."""

    def __init__(self, server: WorkbenchServer) -> None:
        """Report on the configs of a server's workspace."""
        self._server = server
        self._world = 0
        self._checked: dict[Path, _Checked] = {}
        self._ids = count(1)
        self._has_said_the_limit = False

    def look_again(self) -> None:
        """Check everything when asked next, because what is known around the configs changed."""
        self._world += 1

    async def report(self, params: WorkspaceDiagnosticParams) -> types.WorkspaceDiagnosticReport:
        """Answer a request, config by config where the editor takes partial results."""
        workspace = self._server.workspace
        if not workspace.is_watched:
            self.look_again()
        known = {previous["uri"]: previous["value"] for previous in params["previousResultIds"]}
        token = params.get("partialResultToken")
        reports: list[Report] = []
        documents = await asyncio.to_thread(lambda: list(workspace.documents()))
        for document in documents:
            report = await self._of(document, known.pop(document.uri, None))
            if report is None:
                continue
            if token is None:
                reports.append(report)
            else:
                self._server.notify("$/progress", {"token": token, "value": {"items": [report]}})
        # What the editor still shows of files that are gone has to be taken away.
        reports += [{"kind": "full", "uri": uri, "version": None, "items": []} for uri in known]
        there = {document.path for document in documents}
        self._checked = {path: checked for path, checked in self._checked.items() if path in there}
        self._say_the_limit()
        return {"items": reports}

    async def _of(self, document: OpenDocument, previous: str | None) -> Report | None:
        if self._server.documents.get(document.uri) is not None:
            return await self._of_open(document.uri, previous)
        if document.path is None:
            return None
        checked = await self._check(document, document.path)
        if previous == checked.id:
            return {"kind": "unchanged", "uri": document.uri, "version": None, "resultId": checked.id}
        return {
            "kind": "full",
            "uri": document.uri,
            "version": None,
            "resultId": checked.id,
            "items": checked.items,
        }

    async def _of_open(self, uri: str, previous: str | None) -> Report | None:
        """Report what the editor is told when it asks for this one document."""
        params: DocumentDiagnosticParams = {"textDocument": {"uri": uri}}
        if previous is not None:
            params["previousResultId"] = previous
        try:
            report = await self._server.diagnostics.pull(params)
        except ResponseError as error:
            if error.code == SERVER_CANCELLED:  # it was edited meanwhile, and that edit will be asked about
                return None
            raise
        document = self._server.documents.get(uri)
        version = None if document is None else document.version
        if report["kind"] == "unchanged":
            return {**report, "uri": uri, "version": version}
        return {**report, "uri": uri, "version": version}

    async def _check(self, document: OpenDocument, path: Path) -> _Checked:
        known = self._checked.get(path)
        if known is not None and known.document is document and known.world == self._world:
            return known
        world = self._world
        context = await self._server.world.context(document.document, path)
        # Nobody waits for these, so they are worked out beside what the editor waits for.
        findings = await asyncio.to_thread(check_document, document.document, context)
        items = [to_diagnostic(document.uri, finding) for finding in findings]
        same = known is not None and known.items == items
        checked = _Checked(document, world, known.id if known is not None and same else f"w{next(self._ids)}", items)
        self._checked[path] = checked
        return checked

    def _say_the_limit(self) -> None:
        if self._server.workspace.listing().is_complete or self._has_said_the_limit:
            return
        self._has_said_the_limit = True
        text = f"This workspace is large: the first {MAX_CONFIGS} configs found in it are checked, others when opened."
        self._server.notify("window/showMessage", {"type": MessageType.Info, "message": text})


def register(server: WorkbenchServer) -> None:
    """Answer `workspace/diagnostic`."""
    diagnostics = WorkspaceDiagnostics(server)

    def did_change(_: DidChangeWatchedFilesParams) -> None:
        diagnostics.look_again()

    server.listen("workspace/didChangeWatchedFiles", did_change)
    server.world.on_change(diagnostics.look_again)
    server.feature("workspace/diagnostic", diagnostics.report)
