"""The `peft/config/*` messages of the editor: what a config comes to, in texts that are shown on pages of their own.

So is what a finding means, which `peft/finding/explain` answers.
"""

import asyncio
from pathlib import Path

from peft_daemon.language.check import check_document
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.figures import estimate
from peft_daemon.language.known import known
from peft_daemon.language.pages import effective_page, estimate_page, plan_page
from peft_daemon.language.revision import Revision
from peft_daemon.language.rules.pages import page_of
from peft_daemon.language.rules.registry import rules
from peft_daemon.lsp.uris import to_path
from peft_daemon.rpc import bind, in_thread
from peft_daemon.runs.launch import ConfigRefused
from peft_daemon.runs.plan import plan
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.foreign.outgoing.write import Exported, Recipient, complete, export_config
from peft_engine.config.foreign.translate import import_config, read_foreign
from peft_engine.config.read import read_source
from peft_schemas.errors import ErrorReport, WorkbenchError
from peft_schemas.findings import FileFinding
from peft_schemas.interchange import ConfigExportParams, ImportParams, TranslationReport
from peft_schemas.pages import ConfigParams, FindingParams, PageResult


def register(server: WorkbenchServer) -> None:
    """Answer the messages about configs."""

    @bind(server, "peft/config/estimate")
    async def _(params: ConfigParams) -> PageResult:
        return PageResult(text=estimate_page(estimate((await _known(server, params.uri)).subject)))

    @bind(server, "peft/config/effective")
    async def _(params: ConfigParams) -> PageResult:
        return PageResult(text=effective_page((await _known(server, params.uri)).subject))

    @bind(server, "peft/config/plan")
    async def _(params: ConfigParams) -> PageResult:
        try:
            path = _path(params.uri)
            planned = await in_thread(lambda cancelled: plan(path, cancelled))
            return PageResult(text=plan_page(planned))
        except ConfigRefused as refused:
            return PageResult(text=None, findings=refused.checked.findings, error=refused.report())
        except WorkbenchError as error:
            return PageResult(text=None, error=error.report())

    @bind(server, "peft/config/import")
    async def _(params: ImportParams) -> TranslationReport:
        path = Path(params.path)
        text = await asyncio.to_thread(read_foreign, path)
        imported = await asyncio.to_thread(import_config, params.tool, text, path.parent)
        placed = [FileFinding(path=params.path, **dict(finding)) for finding in imported.findings]
        return TranslationReport(config=imported.config, findings=placed)

    @bind(server, "peft/config/export")
    async def _(params: ConfigExportParams) -> TranslationReport:
        revision = await _known(server, params.uri)
        return await asyncio.to_thread(_exported, params.tool, revision, _path(params.uri))

    @bind(server, "peft/finding/explain")
    async def _(params: FindingParams) -> PageResult:
        # A code that is none must not become a path.
        known_codes = {rule.code for rule in rules()}
        page = page_of(params.code) if params.code in known_codes else None
        if page is None:
            report = ErrorReport(
                code="not-supported",
                message=f"There is no finding {params.code}.",
                remedy="Codes look like PW501; the Problems view shows the one of each finding.",
            )
            return PageResult(text=None, error=report)
        return PageResult(text=await asyncio.to_thread(page.read_text, encoding="utf-8"))


def _exported(tool: Recipient, revision: Revision, path: Path) -> TranslationReport:
    document = revision.document
    resolved = complete(document, path)
    if resolved is None:
        exported = Exported("", check_document(document, revision.context))
    else:
        exported = export_config(tool, document, resolved)
    placed = [FileFinding(path=str(path), **dict(finding)) for finding in exported.findings]
    return TranslationReport(config=exported.config, findings=placed)


async def _known(server: WorkbenchServer, uri: str) -> Revision:
    document = server.documents.get(uri)
    if document is None:
        source = await asyncio.to_thread(read_source, _path(uri))
        document = OpenDocument(uri, 0, source)
    return await known(server, document)


def _path(uri: str) -> Path:
    path = to_path(uri)
    if path is None:
        raise WorkbenchError("config-missing", f"{uri} is no file.", "Save the config to a file first.")
    return path
