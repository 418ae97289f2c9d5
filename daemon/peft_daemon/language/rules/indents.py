"""The indentation that a line was most likely to have."""

from peft_daemon.language.binding import bind
from peft_engine.config.document import Document, parse
from peft_engine.config.text import SourceText
from peft_schemas.findings import Fix, Position, Range, TextEdit

_MOST_LINES = 2000
"""Lines of the longest text in which an indentation is sought."""


def realign(document: Document, line: int) -> Fix | None:
    """Return the fix that moves a line, with what hangs on it, to where the lines above stand; None for no such place.

    A place is right where the text has fewer faults and no key more that its section does not have.
    """
    source = document.source
    if source.line_count > _MOST_LINES:
        return None
    depth = _depth(source, line)
    last = line
    while last + 1 < source.line_count and (_depth(source, last + 1) > depth or not source.line(last + 1).strip()):
        last += 1
    lines = [number for number in range(line, last + 1) if source.line(number).strip()]
    wrong = _wrong_keys(document)
    for column in sorted(_columns_above(source, line) - {depth}, key=lambda column: abs(column - depth)):
        edits = [_move(source, number, column - depth) for number in lines]
        moved = parse(SourceText(_applied(source, edits)), document)
        if len(moved.problems) < len(document.problems) and _wrong_keys(moved) <= wrong:
            return Fix(title="Indent it like the lines above", edits=edits)
    return None


def _columns_above(source: SourceText, line: int) -> set[int]:
    """Return where the keys begin that the line may stand beside: those of each open level above it."""
    columns: set[int] = set()
    least = len(source)
    for above in range(line - 1, -1, -1):
        written = source.line(above)
        text = written.lstrip(" ")
        depth = len(written) - len(text)
        if not text.strip() or text.startswith("#") or depth >= least:
            continue
        columns |= {depth, len(written) - len(text.lstrip("- "))}
        least = depth
        if not depth:
            break
    return columns


def _depth(source: SourceText, line: int) -> int:
    written = source.line(line)
    return len(written) - len(written.lstrip(" "))


def _move(source: SourceText, line: int, by: int) -> TextEdit:
    """Return the edit that moves a line to the right, or to the left."""
    end = max(0, min(-by, _depth(source, line)))
    range_ = Range(start=Position(line=line, character=0), end=Position(line=line, character=end))
    return TextEdit(range=range_, newText=" " * max(0, by))


def _applied(source: SourceText, edits: list[TextEdit]) -> str:
    text = source.text
    for edit in reversed(edits):
        text = text[: source.offset(edit.range.start)] + edit.newText + text[source.offset(edit.range.end) :]
    return text


def _wrong_keys(document: Document) -> int:
    binding = bind(document)
    return len(binding.stray) + len(binding.misshapen) + len(binding.repeated)
