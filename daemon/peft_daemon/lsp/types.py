"""What LSP 3.17 calls its structures, as far as this server sends them or both sides share them.

The names, in camel case too, are the specification's: https://microsoft.github.io/language-server-protocol/. They are
plain dictionaries at run time. What only editors send stands in `params`, the numbered kinds in `kinds`.
"""

from typing import Any, Literal, NotRequired, TypedDict

from peft_daemon.lsp.kinds import (
    CompletionItemKind,
    DiagnosticSeverity,
    DiagnosticTag,
    DocumentHighlightKind,
    InlayHintKind,
    InsertTextFormat,
    InsertTextMode,
    SymbolKind,
)

ProgressToken = int | str


class Position(TypedDict):
    """A place between two characters: 0-based line, 0-based UTF-16 code unit."""

    line: int
    character: int


class Range(TypedDict):
    """The text from `start` up to, not including, `end`."""

    start: Position
    end: Position


class Location(TypedDict):
    """A range in a document."""

    uri: str
    range: Range


class LocationLink(TypedDict):
    """A place to go to, and the text at the cursor that leads there."""

    originSelectionRange: NotRequired[Range]
    targetUri: str
    targetRange: Range
    targetSelectionRange: Range


class MarkupContent(TypedDict):
    """A text that an editor renders."""

    kind: Literal["plaintext", "markdown"]
    value: str


class Command(TypedDict):
    """A command that an editor runs when it is clicked."""

    title: str
    command: str
    arguments: NotRequired[list[Any]]


class TextEdit(TypedDict):
    """A replacement of a range by a new text."""

    range: Range
    newText: str


class AnnotatedTextEdit(TextEdit):
    """An edit that the user may see before it is made."""

    annotationId: str


class ChangeAnnotation(TypedDict):
    """How edits are announced to the user."""

    label: str
    needsConfirmation: NotRequired[bool]
    description: NotRequired[str]


class OptionalVersionedTextDocumentIdentifier(TypedDict):
    """A document, and the version that an edit was made for; None when it is not open."""

    uri: str
    version: int | None


class TextDocumentEdit(TypedDict):
    """Edits of one document."""

    textDocument: OptionalVersionedTextDocumentIdentifier
    edits: list[TextEdit | AnnotatedTextEdit]


class CreateFileOptions(TypedDict):
    """What happens when the file is there already; `overwrite` wins."""

    overwrite: NotRequired[bool]
    ignoreIfExists: NotRequired[bool]


class CreateFile(TypedDict):
    """A file to make."""

    kind: Literal["create"]
    uri: str
    options: NotRequired[CreateFileOptions]
    annotationId: NotRequired[str]


class RenameFile(TypedDict):
    """A file to rename."""

    kind: Literal["rename"]
    oldUri: str
    newUri: str
    options: NotRequired[CreateFileOptions]
    annotationId: NotRequired[str]


class WorkspaceEdit(TypedDict):
    """Changes of documents and files. An editor that announced `documentChanges` takes those, any other `changes`."""

    changes: NotRequired[dict[str, list[TextEdit]]]
    documentChanges: NotRequired[list[TextDocumentEdit | CreateFile | RenameFile]]
    changeAnnotations: NotRequired[dict[str, ChangeAnnotation]]


class DiagnosticRelatedInformation(TypedDict):
    """Another place that explains a diagnostic."""

    location: Location
    message: str


class CodeDescription(TypedDict):
    """Where a diagnostic's code is documented."""

    href: str


class Diagnostic(TypedDict):
    """A fault or remark in a document."""

    range: Range
    message: str
    severity: NotRequired[DiagnosticSeverity]
    code: NotRequired[str]
    codeDescription: NotRequired[CodeDescription]
    source: NotRequired[str]
    tags: NotRequired[list[DiagnosticTag]]
    relatedInformation: NotRequired[list[DiagnosticRelatedInformation]]
    data: NotRequired[Any]


class PublishDiagnosticsParams(TypedDict):
    """All diagnostics of a document."""

    uri: str
    version: NotRequired[int]
    diagnostics: list[Diagnostic]


class FullDocumentDiagnosticReport(TypedDict):
    """All diagnostics of a document, as an answer."""

    kind: Literal["full"]
    resultId: NotRequired[str]
    items: list[Diagnostic]


class UnchangedDocumentDiagnosticReport(TypedDict):
    """The diagnostics that were answered under this id still hold."""

    kind: Literal["unchanged"]
    resultId: str


DocumentDiagnosticReport = FullDocumentDiagnosticReport | UnchangedDocumentDiagnosticReport


class WorkspaceFullDocumentDiagnosticReport(FullDocumentDiagnosticReport):
    """All diagnostics of one of a workspace's documents."""

    uri: str
    version: int | None


class WorkspaceUnchangedDocumentDiagnosticReport(UnchangedDocumentDiagnosticReport):
    """The diagnostics of one of a workspace's documents still hold."""

    uri: str
    version: int | None


class WorkspaceDiagnosticReport(TypedDict):
    """The diagnostics of a workspace's documents."""

    items: list[WorkspaceFullDocumentDiagnosticReport | WorkspaceUnchangedDocumentDiagnosticReport]


class Hover(TypedDict):
    """What is shown at the mouse."""

    contents: MarkupContent
    range: NotRequired[Range]


class CompletionItemLabelDetails(TypedDict):
    """Words beside a completion's label."""

    detail: NotRequired[str]
    description: NotRequired[str]


class CompletionItem(TypedDict):
    """Something that can be written at the cursor."""

    label: str
    labelDetails: NotRequired[CompletionItemLabelDetails]
    kind: NotRequired[CompletionItemKind]
    detail: NotRequired[str]
    documentation: NotRequired[MarkupContent]
    preselect: NotRequired[bool]
    sortText: NotRequired[str]
    filterText: NotRequired[str]
    insertTextFormat: NotRequired[InsertTextFormat]
    insertTextMode: NotRequired[InsertTextMode]
    textEdit: NotRequired[TextEdit]
    additionalTextEdits: NotRequired[list[TextEdit]]
    command: NotRequired[Command]
    data: NotRequired[Any]


class CodeActionDisabled(TypedDict):
    """Why an action cannot be taken now."""

    reason: str


class CodeAction(TypedDict):
    """A change that the editor offers."""

    title: str
    kind: NotRequired[str]
    diagnostics: NotRequired[list[Diagnostic]]
    isPreferred: NotRequired[bool]
    disabled: NotRequired[CodeActionDisabled]
    edit: NotRequired[WorkspaceEdit]
    command: NotRequired[Command]
    data: NotRequired[Any]


class CodeLens(TypedDict):
    """A command above a line."""

    range: Range
    command: NotRequired[Command]
    data: NotRequired[Any]


class InlayHintLabelPart(TypedDict):
    """A part of an inlay hint that has a tooltip, a target or a command of its own."""

    value: str
    tooltip: NotRequired[MarkupContent]
    location: NotRequired[Location]
    command: NotRequired[Command]


class InlayHint(TypedDict):
    """A text shown between the characters of a document."""

    position: Position
    label: str | list[InlayHintLabelPart]
    kind: NotRequired[InlayHintKind]
    textEdits: NotRequired[list[TextEdit]]
    tooltip: NotRequired[str | MarkupContent]
    paddingLeft: NotRequired[bool]
    paddingRight: NotRequired[bool]
    data: NotRequired[Any]


class DocumentSymbol(TypedDict):
    """An entry of the outline."""

    name: str
    detail: NotRequired[str]
    kind: SymbolKind
    range: Range
    selectionRange: Range
    children: NotRequired[list["DocumentSymbol"]]


class WorkspaceSymbol(TypedDict):
    """A symbol of a workspace."""

    name: str
    kind: SymbolKind
    containerName: NotRequired[str]
    location: Location
    data: NotRequired[Any]


class FoldingRange(TypedDict):
    """Lines that can be folded."""

    startLine: int
    endLine: int
    kind: NotRequired[Literal["comment", "imports", "region"]]


class SelectionRange(TypedDict):
    """A range to select, and the next larger one."""

    range: Range
    parent: NotRequired["SelectionRange"]


class DocumentHighlight(TypedDict):
    """A place of the symbol at the cursor."""

    range: Range
    kind: NotRequired[DocumentHighlightKind]


class DocumentLink(TypedDict):
    """A text that leads somewhere; `target` may follow when the link is resolved."""

    range: Range
    target: NotRequired[str]
    tooltip: NotRequired[str]
    data: NotRequired[Any]


class PrepareRenameResult(TypedDict):
    """What would be renamed, and the text to begin with."""

    range: Range
    placeholder: str


class SemanticTokens(TypedDict):
    """Tokens of a document, five numbers each: line and start from the token before, length, type, modifiers."""

    resultId: NotRequired[str]
    data: list[int]


class SemanticTokensEdit(TypedDict):
    """A change of the numbers of tokens."""

    start: int
    deleteCount: int
    data: NotRequired[list[int]]


class SemanticTokensDelta(TypedDict):
    """How the tokens of a document changed."""

    resultId: NotRequired[str]
    edits: list[SemanticTokensEdit]


class FileSystemWatcher(TypedDict):
    """Files to be told of; `kind` adds 1 for created, 2 for changed, 4 for deleted ones."""

    globPattern: str
    kind: NotRequired[int]


class Registration(TypedDict):
    """A capability that is announced after `initialize`."""

    id: str
    method: str
    registerOptions: NotRequired[Any]
