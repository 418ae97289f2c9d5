"""What `initialize` answers: everything that this server can do, said before any of it is loaded.

A feature that is added under `language/features` is added here too; a test holds the two together.
"""

from typing import Any

from peft_schemas import PROTOCOL_VERSION, __version__

CAPABILITIES: dict[str, Any] = {
    # Whatever the editor prefers: our ranges count UTF-16 everywhere.
    "positionEncoding": "utf-16",
    "textDocumentSync": {"openClose": True, "change": 2, "save": False},
    "diagnosticProvider": {"identifier": "peftw", "interFileDependencies": False, "workspaceDiagnostics": False},
    "hoverProvider": True,
    "completionProvider": {"triggerCharacters": [":", " ", "-", "{", ","]},
    "codeActionProvider": {"codeActionKinds": ["quickfix"]},
    "codeLensProvider": {"resolveProvider": False},
    "inlayHintProvider": True,
    "documentSymbolProvider": True,
    "foldingRangeProvider": True,
    "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    "experimental": {"peft": {"version": __version__, "protocol": PROTOCOL_VERSION}},
}
"""LSP's `ServerCapabilities`."""
