"""Faults of definition files as diagnostics, in files that need not be open."""

import asyncio
from pathlib import Path

from peft_daemon.language.convert import range_to_lsp
from peft_daemon.language.features.diagnostics import SOURCE
from peft_daemon.lsp.kinds import DiagnosticSeverity
from peft_daemon.lsp.types import Diagnostic
from peft_daemon.models.listing import definition_faults
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.findings import Position, Range
from peft_schemas.library import DefinitionFault

_FIRST_LINE = Range(start=Position(line=0, character=0), end=Position(line=1, character=0))
"""Where a fault of a whole file is shown."""


class FaultMarks:
    """What the editor shows of the definition files' faults."""

    def __init__(self, server: WorkbenchServer) -> None:
        """Begin with nothing that is shown."""
        self._server = server
        self._shown: set[str] = set()
        """URIs of files with faults."""

    async def refresh(self) -> None:
        """Show each fault at its place, and take away what is mended or gone."""
        found: dict[str, list[Diagnostic]] = {uri: [] for uri in self._shown}
        for fault in await asyncio.to_thread(definition_faults):
            found.setdefault(Path(fault.path).as_uri(), []).append(_diagnostic(fault))
        for uri, diagnostics in found.items():
            self._server.notify("textDocument/publishDiagnostics", {"uri": uri, "diagnostics": diagnostics})
        self._shown = {uri for uri, diagnostics in found.items() if diagnostics}


def _diagnostic(fault: DefinitionFault) -> Diagnostic:
    return {
        "range": range_to_lsp(fault.range or _FIRST_LINE),
        "message": fault.message,
        "severity": DiagnosticSeverity.Error,
        "source": SOURCE,
    }
