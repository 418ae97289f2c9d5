"""What editors send: the params of each LSP message that this server takes.

`PARAMS` is read when a message comes in: one whose params have another shape is refused before any handler sees it.
Keys that are not named here are let through, because editors may send more than we know.
"""

from typing import Any, NotRequired, TypedDict

from peft_daemon.lsp.types import (
    CodeAction,
    CompletionItem,
    DocumentLink,
    Position,
    ProgressToken,
    Range,
)


class Params(TypedDict):
    """What any request may carry beside its own params."""

    workDoneToken: NotRequired[ProgressToken]
    partialResultToken: NotRequired[ProgressToken]


class WorkspaceFolder(TypedDict):
    """A folder that is open in the editor."""

    uri: str
    name: str


class InitializeParams(Params):
    """How an editor introduces itself. Its options may be anything; ours are read in `workbench`."""

    processId: int | None
    rootUri: NotRequired[str | None]
    capabilities: dict[str, Any]
    initializationOptions: NotRequired[Any]
    workspaceFolders: NotRequired[list[WorkspaceFolder] | None]


class TextDocumentIdentifier(TypedDict):
    """A document."""

    uri: str


class VersionedTextDocumentIdentifier(TextDocumentIdentifier):
    """A version of a document."""

    version: int


class TextDocumentItem(VersionedTextDocumentIdentifier):
    """A document with its text."""

    languageId: str
    text: str


class TextDocumentParams(Params):
    """A document, where nothing else is asked."""

    textDocument: TextDocumentIdentifier


class TextDocumentPositionParams(TextDocumentParams):
    """A place in a document."""

    position: Position


class TextDocumentRangeParams(TextDocumentParams):
    """A range of a document."""

    range: Range


class DidOpenTextDocumentParams(TypedDict):
    """A document that was opened."""

    textDocument: TextDocumentItem


class TextDocumentContentChangeEvent(TypedDict):
    """An edit; without a range it replaces the whole text."""

    range: NotRequired[Range]
    text: str


class DidChangeTextDocumentParams(TypedDict):
    """Edits in their order, each counting in the text that the one before it left."""

    textDocument: VersionedTextDocumentIdentifier
    contentChanges: list[TextDocumentContentChangeEvent]


class FileEvent(TypedDict):
    """A file that was created (1), changed (2) or deleted (3)."""

    uri: str
    type: int


class DidChangeWatchedFilesParams(TypedDict):
    """Files that changed on disk."""

    changes: list[FileEvent]


class WorkspaceFoldersChangeEvent(TypedDict):
    """Folders that came and went."""

    added: list[WorkspaceFolder]
    removed: list[WorkspaceFolder]


class DidChangeWorkspaceFoldersParams(TypedDict):
    """Which folders are open has changed."""

    event: WorkspaceFoldersChangeEvent


class DocumentDiagnosticParams(TextDocumentParams):
    """The diagnostics of a document; the id names the answer that the editor has already."""

    previousResultId: NotRequired[str]


class PreviousResultId(TypedDict):
    """The answer that the editor has for a document."""

    uri: str
    value: str


class WorkspaceDiagnosticParams(Params):
    """The diagnostics of a workspace."""

    previousResultIds: list[PreviousResultId]


class CompletionContext(TypedDict):
    """What caused a completion: typing (1), a trigger character (2), an incomplete list (3)."""

    triggerKind: int
    triggerCharacter: NotRequired[str]


class CompletionParams(TextDocumentPositionParams):
    """A place where something is to be written."""

    context: NotRequired[CompletionContext]


class CodeActionContext(TypedDict):
    """The diagnostics that the editor shows at the range, and the kinds of action that it wants."""

    diagnostics: list[Any]
    only: NotRequired[list[str]]
    triggerKind: NotRequired[int]


class CodeActionParams(TextDocumentRangeParams):
    """A range for which actions are wanted."""

    context: CodeActionContext


class ReferenceContext(TypedDict):
    """Whether the declaration counts as a reference."""

    includeDeclaration: bool


class ReferenceParams(TextDocumentPositionParams):
    """A symbol whose references are wanted."""

    context: ReferenceContext


class RenameParams(TextDocumentPositionParams):
    """A symbol and its new name."""

    newName: str


class SelectionRangeParams(TextDocumentParams):
    """Places for each of which ranges are wanted."""

    positions: list[Position]


class SemanticTokensDeltaParams(TextDocumentParams):
    """Tokens are wanted as a change of the answer that the editor has."""

    previousResultId: str


class FormattingOptions(TypedDict):
    """How the editor indents."""

    tabSize: int
    insertSpaces: bool


class DocumentFormattingParams(TextDocumentParams):
    """A document to format."""

    options: FormattingOptions


class DocumentRangeFormattingParams(TextDocumentRangeParams):
    """A range to format."""

    options: FormattingOptions


class DocumentOnTypeFormattingParams(TextDocumentPositionParams):
    """A place behind a typed character that asks for formatting."""

    ch: str
    options: FormattingOptions


class WorkspaceSymbolParams(Params):
    """Part of a symbol's name."""

    query: str


class ExecuteCommandParams(Params):
    """A command to run."""

    command: str
    arguments: NotRequired[list[Any]]


class FileRename(TypedDict):
    """A file or folder that gets another name."""

    oldUri: str
    newUri: str


class RenameFilesParams(TypedDict):
    """Files and folders that are about to be renamed."""

    files: list[FileRename]


class CancelParams(TypedDict):
    """A request whose answer is no longer wanted."""

    id: int | str


PARAMS: dict[str, Any] = {
    "$/cancelRequest": CancelParams,
    "codeAction/resolve": CodeAction,
    "completionItem/resolve": CompletionItem,
    "documentLink/resolve": DocumentLink,
    "initialize": InitializeParams,
    "textDocument/codeAction": CodeActionParams,
    "textDocument/codeLens": TextDocumentParams,
    "textDocument/completion": CompletionParams,
    "textDocument/definition": TextDocumentPositionParams,
    "textDocument/diagnostic": DocumentDiagnosticParams,
    "textDocument/didChange": DidChangeTextDocumentParams,
    "textDocument/didClose": TextDocumentParams,
    "textDocument/didOpen": DidOpenTextDocumentParams,
    "textDocument/documentHighlight": TextDocumentPositionParams,
    "textDocument/documentLink": TextDocumentParams,
    "textDocument/documentSymbol": TextDocumentParams,
    "textDocument/foldingRange": TextDocumentParams,
    "textDocument/formatting": DocumentFormattingParams,
    "textDocument/hover": TextDocumentPositionParams,
    "textDocument/inlayHint": TextDocumentRangeParams,
    "textDocument/onTypeFormatting": DocumentOnTypeFormattingParams,
    "textDocument/prepareRename": TextDocumentPositionParams,
    "textDocument/rangeFormatting": DocumentRangeFormattingParams,
    "textDocument/references": ReferenceParams,
    "textDocument/rename": RenameParams,
    "textDocument/selectionRange": SelectionRangeParams,
    "textDocument/semanticTokens/full": TextDocumentParams,
    "textDocument/semanticTokens/full/delta": SemanticTokensDeltaParams,
    "textDocument/semanticTokens/range": TextDocumentRangeParams,
    "workspace/diagnostic": WorkspaceDiagnosticParams,
    "workspace/didChangeWatchedFiles": DidChangeWatchedFilesParams,
    "workspace/didChangeWorkspaceFolders": DidChangeWorkspaceFoldersParams,
    "workspace/executeCommand": ExecuteCommandParams,
    "workspace/symbol": WorkspaceSymbolParams,
    "workspace/willRenameFiles": RenameFilesParams,
}
"""The shape of the params by method."""
