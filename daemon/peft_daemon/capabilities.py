"""What `initialize` answers: everything that this server can do, said before any of it is loaded.

A feature that is added under `language/features` is added here too; a test holds the two together.
"""

from typing import Any

from peft_schemas import PROTOCOL_VERSION, __version__

_TOKEN_TYPES = ["section", "property", "enumMember", "number", "string", "keyword", "path", "variable", "comment"]
_TOKEN_MODIFIERS = ["declaration", "deprecated", "default"]

_NAMED_FILES = "**/*.{csv,json,jsonl,txt,parquet,yaml,yml,jinja,jinja2,j2,gguf,safetensors}"
_MOVABLE = [
    {"scheme": "file", "pattern": {"glob": _NAMED_FILES, "matches": "file"}},
    {"scheme": "file", "pattern": {"glob": "**", "matches": "folder"}},
]
"""Files that a config may name, configs, and the folders that hold either."""

COMMANDS = ("peftw.estimate", "peftw.effective", "peftw.fixAll")
"""What `workspace/executeCommand` runs, each with the URI of an open config. Those of lenses are the editor's own."""

CAPABILITIES: dict[str, Any] = {
    # Whatever the editor prefers: our ranges count UTF-16 everywhere.
    "positionEncoding": "utf-16",
    "textDocumentSync": {"openClose": True, "change": 2, "save": False},
    "diagnosticProvider": {"identifier": "peftw", "interFileDependencies": False, "workspaceDiagnostics": True},
    "hoverProvider": True,
    "completionProvider": {"triggerCharacters": [":", " ", "-", "{", "[", ","], "resolveProvider": True},
    "codeActionProvider": {
        "codeActionKinds": [
            "quickfix",
            "source.fixAll.peft",
            "refactor.rewrite",
            "refactor.extract",
            "refactor.inline",
        ],
        "resolveProvider": True,
    },
    "executeCommandProvider": {"commands": list(COMMANDS)},
    "codeLensProvider": {"resolveProvider": False},
    "inlayHintProvider": True,
    "documentSymbolProvider": True,
    "foldingRangeProvider": True,
    "definitionProvider": True,
    "referencesProvider": True,
    "documentHighlightProvider": True,
    "renameProvider": {"prepareProvider": True},
    "selectionRangeProvider": True,
    "semanticTokensProvider": {
        "legend": {"tokenTypes": _TOKEN_TYPES, "tokenModifiers": _TOKEN_MODIFIERS},
        "full": {"delta": True},
        "range": True,
    },
    "documentLinkProvider": {"resolveProvider": True},
    "workspaceSymbolProvider": True,
    "documentFormattingProvider": True,
    "documentRangeFormattingProvider": True,
    "documentOnTypeFormattingProvider": {"firstTriggerCharacter": "\n"},
    "workspace": {
        "workspaceFolders": {"supported": True, "changeNotifications": True},
        "fileOperations": {
            "willRename": {"filters": _MOVABLE},
            "didRename": {"filters": _MOVABLE},
        },
    },
    "experimental": {"peft": {"version": __version__, "protocol": PROTOCOL_VERSION}},
}
"""LSP's `ServerCapabilities`."""
