"""Diagnostics, pushed after each edit and answered when asked for."""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from peft_daemon.language.context import CheckContext
from peft_daemon.language.convert import SEVERITIES, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.judge import Judgement, judge
from peft_daemon.language.rules.pages import page_of
from peft_daemon.lsp.errors import CONTENT_MODIFIED, SERVER_CANCELLED, ResponseError
from peft_daemon.lsp.params import (
    DidChangeTextDocumentParams,
    DidOpenTextDocumentParams,
    DocumentDiagnosticParams,
    TextDocumentParams,
)
from peft_daemon.lsp.types import Diagnostic, DocumentDiagnosticReport, PublishDiagnosticsParams
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.findings import Finding

SOURCE = "peftw"
_LONGEST_REST = 0.3
"""Seconds after which the next check may begin, however long the last one took."""

_KEPT = 64
"""Documents whose last findings are kept."""


@dataclass(frozen=True)
class _Result:
    """What a check found in one version of a document."""

    document: OpenDocument
    judgement: Judgement
    id: str
    """The name by which an editor says that it has this result already."""


class Diagnostics:
    """Checks documents and tells the editor. A result for a version that is no longer the newest is dropped."""

    def __init__(self, server: WorkbenchServer) -> None:
        self._server = server
        self._due: dict[str, asyncio.Handle] = {}
        """The call that will look at a document, by URI."""

        self._jobs: dict[str, asyncio.Task[None]] = {}
        """The job that will tell of a document for which something is waited, by URI."""

        self._checks: dict[str, tuple[OpenDocument, asyncio.Task[_Result]]] = {}
        """The running check of a document, by URI. Whoever asks meanwhile waits for it, too."""

        self._results: OrderedDict[str, _Result] = OrderedDict()
        self._count = 0
        self._rested_at = 0.0
        """When the next check may begin."""

        self._client_pulls = False

    @property
    def busy(self) -> bool:
        """Whether some document waits for its diagnostics."""
        running = (*self._jobs.values(), *(task for _, task in self._checks.values()))
        return bool(self._due) or not all(task.done() for task in running)

    async def findings(self, document: OpenDocument) -> list[Finding]:
        """Return the findings of an open document, checked once a version.

        Raises:
            ResponseError: The document was edited or closed meanwhile.
        """
        return (await self._result(document)).judgement.findings

    def schedule(self, uri: str) -> None:
        """Check a document and tell of it, once however many edits come before the check begins.

        An edit is judged at once. Only when judging takes long does the next check wait for as long as the last one
        took, so that half of the time is left for typing.
        """
        self._cancel(uri)
        # At least one turn of the loop, so that edits that are here already come before the check.
        wait = self._rested_at - time.perf_counter()
        loop = asyncio.get_running_loop()
        self._due[uri] = loop.call_later(wait, self._push, uri) if wait > 0 else loop.call_soon(self._push, uri)

    def forget(self, uri: str) -> None:
        """Take a closed document's diagnostics away."""
        self._cancel(uri)
        self._checks.pop(uri, None)
        self._results.pop(uri, None)
        self._publish({"uri": uri, "diagnostics": []})

    def refresh(self) -> None:
        """Check every open document again, because the world around them changed."""
        self._results.clear()
        self._checks.clear()
        if not self._client_pulls:
            for document in self._server.documents:
                self.schedule(document.uri)
        elif self._server.can("workspace.diagnostics.refreshSupport"):
            self._server.spawn(self._server.request("workspace/diagnostic/refresh"))

    def pull(self, params: DocumentDiagnosticParams) -> Coroutine[Any, Any, DocumentDiagnosticReport]:
        """Answer a request for diagnostics of the version that is open now.

        An editor that announced this request and uses it would show each finding twice if it were told as well, so it
        is no longer told.

        Raises:
            ResponseError: The document was edited meanwhile; the editor may ask again.
        """
        if not self._client_pulls and self._server.can("textDocument.diagnostic"):
            self._client_pulls = True
            for document in self._server.documents:
                self._publish({"uri": document.uri, "diagnostics": [], "version": document.version})
        # Looked up before the first step of the coroutine, which edits that are on their way would precede.
        return self._report(self._server.documents.get(params["textDocument"]["uri"]), params.get("previousResultId"))

    async def _report(self, document: OpenDocument | None, previous: str | None) -> DocumentDiagnosticReport:
        if document is None:
            return {"kind": "full", "items": []}
        try:
            result = await self._result(document)
        except ResponseError as error:
            if error.code != CONTENT_MODIFIED:
                raise
            # By any other error editors would take the document for one without findings.
            raise ResponseError(SERVER_CANCELLED, error.message, {"retriggerRequest": True}) from None
        if previous == result.id:
            return {"kind": "unchanged", "resultId": result.id}
        items = [to_diagnostic(document.uri, finding) for finding in result.judgement.findings]
        return {"kind": "full", "items": items, "resultId": result.id}

    def _cancel(self, uri: str) -> None:
        for waiting in (self._due.pop(uri, None), self._jobs.pop(uri, None)):
            if waiting is not None:
                waiting.cancel()

    def _push(self, uri: str) -> None:
        del self._due[uri]
        document = self._server.documents.get(uri)
        if document is None or self._client_pulls:
            return
        # Nearly every keystroke names what was named before. Then nothing has to be waited for in a task.
        result = self._result_at_hand(document)
        if result is None:
            self._jobs[uri] = self._server.spawn(self._push_later(document))
        else:
            self._tell(result)

    async def _push_later(self, document: OpenDocument) -> None:
        with contextlib.suppress(ResponseError):  # edited meanwhile: that edit has a job of its own
            self._tell(await self._result(document))

    def _tell(self, result: _Result) -> None:
        uri = result.document.uri
        diagnostics = [to_diagnostic(uri, finding) for finding in result.judgement.findings]
        self._publish({"uri": uri, "diagnostics": diagnostics, "version": result.document.version})

    def _result_at_hand(self, document: OpenDocument) -> _Result | None:
        """Return what is found in a document, None where something has to be waited for."""
        known = self._results.get(document.uri)
        if known is not None and known.document is document:
            return known
        running = self._checks.get(document.uri)
        if running is not None and running[0] is document:
            return None
        context = self._server.world.at_hand(document.document, document.path)
        if context is None:
            return None
        result = self._judge(document, context)
        self._keep(result)
        return result

    async def _result(self, document: OpenDocument) -> _Result:
        at_hand = self._result_at_hand(document)
        if at_hand is not None:
            return at_hand
        running = self._checks.get(document.uri)
        if running is None or running[0] is not document:
            running = document, asyncio.get_running_loop().create_task(self._check(document))
            # Nobody may be left who hears that the document was edited meanwhile.
            running[1].add_done_callback(lambda task: task.cancelled() or task.exception())
            self._checks[document.uri] = running
        # Who asked may be cancelled; the others still wait.
        return await asyncio.shield(running[1])

    async def _check(self, document: OpenDocument) -> _Result:
        result = self._judge(document, await self._server.world.context(document.document, document.path))
        # Unless the world has changed meanwhile and another check was begun.
        if self._checks.get(document.uri, (None, None))[1] is asyncio.current_task():
            del self._checks[document.uri]
            self._keep(result)
        return result

    def _judge(self, document: OpenDocument, context: CheckContext) -> _Result:
        if self._server.documents.get(document.uri) is not document:
            raise ResponseError(CONTENT_MODIFIED, "The document was edited before it was checked.")
        before = self._results.get(document.uri)
        started = time.perf_counter()
        judgement = judge(document.document, context, None if before is None else before.judgement)
        ended = time.perf_counter()
        self._rested_at = ended + min(ended - started, _LONGEST_REST)
        self._count += 1
        return _Result(document, judgement, str(self._count))

    def _keep(self, result: _Result) -> None:
        uri = result.document.uri
        self._results[uri] = result
        self._results.move_to_end(uri)
        while len(self._results) > _KEPT:
            self._results.popitem(last=False)

    def _publish(self, params: PublishDiagnosticsParams) -> None:
        self._server.notify("textDocument/publishDiagnostics", params)


def to_diagnostic(uri: str, finding: Finding) -> Diagnostic:
    """Return a finding as LSP's diagnostic."""
    diagnostic: Diagnostic = {
        "range": range_to_lsp(finding.range),
        "message": finding.message,
        "severity": SEVERITIES[finding.severity],
        "code": finding.code,
        "source": SOURCE,
    }
    page = page_of(finding.code)
    if page is not None:
        diagnostic["codeDescription"] = {"href": page.as_uri()}
    if finding.related:
        diagnostic["relatedInformation"] = [
            {"location": {"uri": uri, "range": range_to_lsp(other.range)}, "message": other.message}
            for other in finding.related
        ]
    return diagnostic


def register(server: WorkbenchServer) -> None:
    """Push and answer diagnostics."""
    diagnostics = server.diagnostics = Diagnostics(server)

    def did_open(params: DidOpenTextDocumentParams) -> None:
        diagnostics.schedule(params["textDocument"]["uri"])

    def did_change(params: DidChangeTextDocumentParams) -> None:
        diagnostics.schedule(params["textDocument"]["uri"])

    def did_close(params: TextDocumentParams) -> None:
        diagnostics.forget(params["textDocument"]["uri"])

    server.listen("textDocument/didOpen", did_open)
    server.listen("textDocument/didChange", did_change)
    server.listen("textDocument/didClose", did_close)
    server.listen("workspace/didChangeWatchedFiles", lambda _: diagnostics.refresh())
    server.feature("textDocument/diagnostic", diagnostics.pull)
    server.world.on_change(diagnostics.refresh)
