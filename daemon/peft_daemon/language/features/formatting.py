"""Formatting: a document, some of its lines, or the line that has just been begun."""

import re

from peft_daemon.language.convert import range_from_lsp, range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.layout import STEP, Change, layout, layout_of_lines
from peft_daemon.lsp import types
from peft_daemon.lsp.params import (
    DocumentFormattingParams,
    DocumentOnTypeFormattingParams,
    DocumentRangeFormattingParams,
    FormattingOptions,
)
from peft_daemon.workbench import WorkbenchServer

_WIDEST = 8
"""Columns of the widest indentation that is taken from an editor's options."""

_LONGEST_LINE = 500
"""Characters of the longest line that a new one is indented after."""

_BEGUN = re.compile(r"(?P<indent>[ ]*)(?P<dashes>(?:-[ ]+)*)(?P<rest>.*?)(?:[ \t]+#.*)?[ \t]*")
_OPENS = re.compile(r"(?:[^#'\"]|'[^']*'|\"[^\"]*\")*:(?:[ ]+[&!]\S*)*(?:[ ]+[|>][-+0-9]*)?|[|>][-+0-9]*|.*[\[{,]")
_IS_ENTRY = re.compile(r"""(?:[^\s'"#:]|:(?=\S)|(?<=\S)[ ]|'[^']*'|"[^"]*")+[ ]*:(?=\s|$)""")


def format_document(document: OpenDocument, step: int = STEP) -> list[types.TextEdit]:
    """Return the edits that bring a document into its layout; none when it has faults."""
    return [_edit(document, change) for change in layout(document.document, step)]


def format_range(document: OpenDocument, range_: types.Range, step: int = STEP) -> list[types.TextEdit]:
    """Return the edits that bring the lines of a range into their layout, and touch no others."""
    lines = range_from_lsp(range_)
    # A selection of whole lines ends at the beginning of the line behind them.
    behind = lines.end.character == 0 and lines.end.line > lines.start.line
    changes = layout_of_lines(document.document, lines.start.line, lines.end.line - behind, step)
    return [_edit(document, change) for change in changes]


def format_new_line(document: OpenDocument, position: types.Position, step: int = STEP) -> list[types.TextEdit]:
    """Return the edit that indents a line that has just been begun and is still empty.

    It is read off the lines above, because a document is seldom sound while it is typed.
    """
    source = document.source
    line = position["line"]
    if not 0 < line < source.line_count or source.line(line).strip(" \t"):
        return []
    above = next((other for other in range(line - 1, -1, -1) if source.line(other).strip()), None)
    before = "" if above is None else source.line(above).removeprefix("\ufeff")
    if len(before) > _LONGEST_LINE:
        return []
    wanted = " " * _column_below(before, step)
    if source.line(line) == wanted:
        return []
    start = source.line_start(line)
    return [_edit(document, Change(start, source.line_end(line), wanted))]


def _column_below(line: str, step: int) -> int:
    """Return the column at which the line below a line begins, as the language expects."""
    begun = _BEGUN.fullmatch(line)
    if begun is None:
        return 0
    dash, content = len(begun["indent"]), begun.start("rest")
    rest = begun["rest"]
    if rest.startswith("#"):
        return dash
    if _OPENS.fullmatch(rest):
        return content + step
    # The next key of a list entry stands below its first one, the next plain value below the dash.
    return content if _IS_ENTRY.match(rest) else dash


def _edit(document: OpenDocument, change: Change) -> types.TextEdit:
    return {"range": range_to_lsp(document.source.range(change.start, change.end)), "newText": change.text}


def _step(options: FormattingOptions) -> int:
    return min(max(options["tabSize"], STEP), _WIDEST)


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/formatting`, `rangeFormatting` and `onTypeFormatting`."""

    def whole(params: DocumentFormattingParams) -> list[types.TextEdit]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else format_document(document, _step(params["options"]))

    def part(params: DocumentRangeFormattingParams) -> list[types.TextEdit]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else format_range(document, params["range"], _step(params["options"]))

    def new_line(params: DocumentOnTypeFormattingParams) -> list[types.TextEdit]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else format_new_line(document, params["position"], _step(params["options"]))

    server.feature("textDocument/formatting", whole)
    server.feature("textDocument/rangeFormatting", part)
    server.feature("textDocument/onTypeFormatting", new_line)
