"""What the editor can ask about a document, one module an LSP feature."""

from peft_daemon.language.features import code_actions, completion, diagnostics, folding, hover, symbols
from peft_daemon.workbench import WorkbenchServer


def register(server: WorkbenchServer) -> None:
    """Register every feature."""
    for feature in (diagnostics, hover, completion, code_actions, symbols, folding):
        feature.register(server)
