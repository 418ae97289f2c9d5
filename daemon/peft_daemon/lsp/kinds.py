"""The numbered kinds of LSP 3.17: severities, icons, formats. The names are the specification's."""

from enum import IntEnum


class DiagnosticSeverity(IntEnum):
    """How grave a diagnostic is."""

    Error = 1
    Warning = 2
    Information = 3
    Hint = 4


class DiagnosticTag(IntEnum):
    """How an editor may show a diagnostic besides underlining it."""

    Unnecessary = 1
    Deprecated = 2


class CompletionItemKind(IntEnum):
    """The icon of a completion."""

    Text = 1
    Method = 2
    Function = 3
    Constructor = 4
    Field = 5
    Variable = 6
    Class = 7
    Interface = 8
    Module = 9
    Property = 10
    Unit = 11
    Value = 12
    Enum = 13
    Keyword = 14
    Snippet = 15
    Color = 16
    File = 17
    Reference = 18
    Folder = 19
    EnumMember = 20
    Constant = 21
    Struct = 22
    Event = 23
    Operator = 24
    TypeParameter = 25


class InsertTextFormat(IntEnum):
    """Whether an inserted text has placeholders."""

    PlainText = 1
    Snippet = 2


class InsertTextMode(IntEnum):
    """Whether an editor may indent the further lines of an inserted text."""

    AsIs = 1
    AdjustIndentation = 2


class SymbolKind(IntEnum):
    """The icon of a symbol."""

    File = 1
    Module = 2
    Namespace = 3
    Package = 4
    Class = 5
    Method = 6
    Property = 7
    Field = 8
    Constructor = 9
    Enum = 10
    Interface = 11
    Function = 12
    Variable = 13
    Constant = 14
    String = 15
    Number = 16
    Boolean = 17
    Array = 18
    Object = 19
    Key = 20
    Null = 21
    EnumMember = 22
    Struct = 23
    Event = 24
    Operator = 25
    TypeParameter = 26


class DocumentHighlightKind(IntEnum):
    """What happens to a symbol where it is highlighted."""

    Text = 1
    Read = 2
    Write = 3


class InlayHintKind(IntEnum):
    """What an inlay hint is about."""

    Type = 1
    Parameter = 2


class MessageType(IntEnum):
    """How grave a message to the user is."""

    Error = 1
    Warning = 2
    Info = 3
    Log = 4
