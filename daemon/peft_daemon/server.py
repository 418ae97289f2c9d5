"""The server that an editor talks to: wiring only."""

from peft_daemon.lsp.endpoint import Send
from peft_daemon.workbench import WorkbenchServer

FIRST = (
    "peft_daemon.language.documents",
    "peft_daemon.language.world.feature",
    "peft_daemon.language.features.diagnostics",
)
"""What a document needs when it is opened."""

LATER = (
    "peft_daemon.language.features.symbols",
    "peft_daemon.language.features.folding",
    "peft_daemon.language.features.code_lens",
    "peft_daemon.language.features.inlay_hints",
    "peft_daemon.language.features.code_actions",
    "peft_daemon.language.features.hover",
    "peft_daemon.language.features.completion",
    "peft_daemon.language.warm",
    "peft_daemon.language.workspace",
    "peft_daemon.language.features.semantic_tokens",
    "peft_daemon.language.features.links",
    "peft_daemon.language.features.highlight",
    "peft_daemon.language.features.selection",
    "peft_daemon.language.features.formatting",
    "peft_daemon.language.features.definition",
    "peft_daemon.language.features.references",
    "peft_daemon.language.features.rename",
    "peft_daemon.language.features.file_operations",
    "peft_daemon.language.features.workspace_symbols",
    "peft_daemon.language.features.workspace_diagnostics",
    "peft_daemon.language.features.commands",
    "peft_daemon.language.service",
    "peft_daemon.runs.feature",
    "peft_daemon.runs.library",
    "peft_daemon.tracking.feature",
    "peft_daemon.memory",
    "peft_daemon.serving.feature",
    "peft_daemon.serving.log",
    "peft_daemon.conversations.feature",
    "peft_daemon.models.feature",
)
"""What can wait until it is asked for, in the order in which editors ask."""


def create_server(send: Send) -> WorkbenchServer:
    """Return a server that loads each feature when it is needed."""
    return WorkbenchServer(send, FIRST, LATER)
