"""Diagnostics, pushed soon after each edit and answered when asked for."""

import asyncio
import time
from collections import OrderedDict

from lsprotocol import types

from peft_daemon.language.check import check_document
from peft_daemon.language.context import DATA_SUFFIXES, gather
from peft_daemon.language.convert import SEVERITIES, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.findings import Finding

SOURCE = "peftw"
_SHORTEST_WAIT, _LONGEST_WAIT = 0.01, 0.3
"""Seconds between an edit and its check. A document that takes long to check waits longer, so typing stays free."""

_KEPT = 64
"""Documents whose last findings are kept for code actions."""


class Diagnostics:
    """Checks documents and tells the editor. A result for a version that is no longer the newest is dropped."""

    def __init__(self, server: WorkbenchServer) -> None:
        self._server = server
        self._wait = _SHORTEST_WAIT
        self._pending: dict[str, asyncio.TimerHandle] = {}
        self._checked: OrderedDict[str, tuple[OpenDocument, list[Finding]]] = OrderedDict()
        self._client_pulls = False

    async def findings(self, document: OpenDocument) -> list[Finding]:
        """Return the findings of a document, checked once a version."""
        known = self._checked.get(document.uri)
        if known is not None and known[0] is document:
            return known[1]
        return await self._check(document)

    def schedule(self, uri: str) -> None:
        """Check a document soon, once, however many edits come before that."""
        if (pending := self._pending.pop(uri, None)) is not None:
            pending.cancel()
        self._pending[uri] = asyncio.get_running_loop().call_later(self._wait, self._start, uri)

    def forget(self, uri: str) -> None:
        """Take a closed document's diagnostics away."""
        if (pending := self._pending.pop(uri, None)) is not None:
            pending.cancel()
        self._checked.pop(uri, None)
        self._publish(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))

    def refresh(self) -> None:
        """Check every open document again, because the world around them changed."""
        self._checked.clear()
        if self._client_pulls:
            self._server.workspace_diagnostic_refresh(None)
            return
        for document in self._server.documents:
            self.schedule(document.uri)

    async def pull(self, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        """Answer a request for diagnostics.

        An editor that announced this request and uses it would show each finding twice if it were told as well, so it
        is no longer told.
        """
        document = self._server.documents.get(params.text_document.uri)
        if document is None:
            return types.RelatedFullDocumentDiagnosticReport(items=[])
        if not self._client_pulls and self._announced_pull():
            self._client_pulls = True
            for other in self._server.documents:
                self._publish(types.PublishDiagnosticsParams(uri=other.uri, diagnostics=[], version=other.version))
        result_id = str(document.version)
        known = self._checked.get(document.uri)
        if params.previous_result_id == result_id and known is not None and known[0] is document:
            return types.RelatedUnchangedDocumentDiagnosticReport(result_id=result_id)
        findings = await self.findings(document)
        return types.RelatedFullDocumentDiagnosticReport(
            items=[to_diagnostic(document.uri, finding) for finding in findings], result_id=result_id
        )

    async def watch_data_files(self) -> None:
        """Ask the editor to tell of data files that come and go, where it can."""
        workspace = self._server.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace is not None else None
        if watching is None or not watching.dynamic_registration:
            return
        pattern = f"**/*{{{','.join(DATA_SUFFIXES)}}}"
        watcher = types.FileSystemWatcher(
            glob_pattern=pattern, kind=types.WatchKind.Create | types.WatchKind.Change | types.WatchKind.Delete
        )
        registration = types.Registration(
            id="data-files",
            method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
            register_options=types.DidChangeWatchedFilesRegistrationOptions(watchers=[watcher]),
        )
        await self._server.client_register_capability_async(types.RegistrationParams([registration]))

    def _start(self, uri: str) -> None:
        self._pending.pop(uri, None)
        document = self._server.documents.get(uri)
        if document is not None and not self._client_pulls:
            self._server.spawn(self._push(document))

    async def _push(self, document: OpenDocument) -> None:
        findings = await self.findings(document)
        if self._server.documents.get(document.uri) is not document or self._client_pulls:
            return
        diagnostics = [to_diagnostic(document.uri, finding) for finding in findings]
        self._publish(types.PublishDiagnosticsParams(document.uri, diagnostics, document.version))

    async def _check(self, document: OpenDocument) -> list[Finding]:
        started = time.perf_counter()
        snapshot = document.document
        # A file on a network drive may take long to look at, and nobody shall wait for it.
        context = await asyncio.to_thread(gather, snapshot, document.path)
        findings = check_document(snapshot, context)
        elapsed = time.perf_counter() - started
        self._wait = min(max(elapsed, _SHORTEST_WAIT), _LONGEST_WAIT)
        if self._server.documents.get(document.uri) is document:
            self._checked[document.uri] = (document, findings)
            self._checked.move_to_end(document.uri)
            while len(self._checked) > _KEPT:
                self._checked.popitem(last=False)
        return findings

    def _publish(self, params: types.PublishDiagnosticsParams) -> None:
        self._server.text_document_publish_diagnostics(params)

    def _announced_pull(self) -> bool:
        text_document = self._server.client_capabilities.text_document
        return text_document is not None and text_document.diagnostic is not None


def to_diagnostic(uri: str, finding: Finding) -> types.Diagnostic:
    """Return a finding as LSP's diagnostic."""
    related = [
        types.DiagnosticRelatedInformation(
            location=types.Location(uri=uri, range=range_to_lsp(other.range)), message=other.message
        )
        for other in finding.related
    ]
    return types.Diagnostic(
        range=range_to_lsp(finding.range),
        message=finding.message,
        severity=SEVERITIES[finding.severity],
        code=finding.code,
        source=SOURCE,
        related_information=related or None,
    )


def register(server: WorkbenchServer) -> None:
    """Push and answer diagnostics."""
    diagnostics = server.diagnostics = Diagnostics(server)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        diagnostics.schedule(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        diagnostics.schedule(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        diagnostics.forget(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_files(_: types.DidChangeWatchedFilesParams) -> None:
        diagnostics.refresh()

    server.on_initialized(diagnostics.watch_data_files)

    options = types.DiagnosticOptions(inter_file_dependencies=False, workspace_diagnostics=False, identifier=SOURCE)

    @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, options)
    async def pull(params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        return await diagnostics.pull(params)
