"""What the editor can ask about a document, one module an LSP feature."""

from peft_daemon.language.features import diagnostics
from peft_daemon.server import WorkbenchServer


def register(server: WorkbenchServer) -> None:
    """Register every feature."""
    for feature in (diagnostics,):
        feature.register(server)
