"""Text with the positions of the Language Server Protocol: 0-based lines, UTF-16 characters."""

import re
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate

from peft_schemas.findings import Position, Range

_LINE_END = re.compile(r"\r\n|\n|\r")
"""What ends a line in LSP. `str.splitlines` also breaks at form feeds and other characters, which LSP does not."""

_LAST_OF_BMP = "\uffff"
"""The last character that is one UTF-16 code unit."""


class SourceText:
    """An immutable text. Offsets are code points; positions are LSP's."""

    def __init__(self, text: str) -> None:
        self.text = _without_lone_surrogates(text)
        self._starts = _line_starts(self.text)

    @classmethod
    def _of(cls, text: str, starts: list[int]) -> "SourceText":
        """Return a text of which it is known where its lines start."""
        source = cls.__new__(cls)
        source.text, source._starts = text, starts
        return source

    def __len__(self) -> int:
        return len(self.text)

    @property
    def line_count(self) -> int:
        """The number of lines; a text that ends in a newline has an empty last line."""
        return len(self._starts)

    def line_start(self, line: int) -> int:
        """Return the offset of a line's first character."""
        return self._starts[line]

    def line_end(self, line: int) -> int:
        """Return the offset behind a line's last character, before its line end."""
        if line + 1 == len(self._starts):
            return len(self.text)
        end = self._starts[line + 1] - 1
        return end - 1 if end > self._starts[line] and self.text[end - 1 : end + 1] == "\r\n" else end

    def line(self, line: int) -> str:
        """Return a line without its line end."""
        return self.text[self._starts[line] : self.line_end(line)]

    def line_of(self, offset: int) -> int:
        """Return the line that holds an offset."""
        return bisect_right(self._starts, offset) - 1

    def position(self, offset: int) -> Position:
        """Return the position of an offset."""
        line = self.line_of(offset)
        start = self._starts[line]
        return Position(line=line, character=self._units(start, offset))

    def range(self, start: int, end: int) -> Range:
        """Return the range between two offsets."""
        return Range(start=self.position(start), end=self.position(end))

    def offset(self, position: Position) -> int:
        """Return the offset of a position. As LSP asks, what lies beyond a line's end means that end."""
        if position.line < 0:
            return 0
        if position.line >= len(self._starts):
            return len(self.text)
        start, end = self._starts[position.line], self.line_end(position.line)
        if not self._has_astral:
            return min(start + max(position.character, 0), end)
        units = position.character
        for offset in range(start, end):
            if units <= 0:
                return offset
            units -= 2 if self.text[offset] > _LAST_OF_BMP else 1
        return end

    def replace(self, range_: Range, new_text: str) -> "SourceText":
        """Return the text with a range replaced."""
        start, end = sorted((self.offset(range_.start), self.offset(range_.end)))
        text = self.text[:start] + new_text + self.text[end:]
        # Returns could join with what comes to stand beside them, and halves of surrogate pairs as well.
        if "\r" in text or not new_text.isascii():
            return SourceText(text)
        # Typing happens in one line of many, and counting them all again takes longer than anything else here.
        first, behind, grown = self.line_of(start) + 1, self.line_of(end) + 1, start + len(new_text) - end
        within = [start + at for at in _line_starts(new_text)[1:]]
        return SourceText._of(text, self._starts[:first] + within + [at + grown for at in self._starts[behind:]])

    @cached_property
    def _has_astral(self) -> bool:
        return not self.text.isascii() and max(self.text) > _LAST_OF_BMP

    def _units(self, start: int, end: int) -> int:
        if not self._has_astral:
            return end - start
        return end - start + sum(character > _LAST_OF_BMP for character in self.text[start:end])


def _line_starts(text: str) -> list[int]:
    if "\r" in text:
        return [0, *(match.end() for match in _LINE_END.finditer(text))]
    # Three times as fast, and it runs at every keystroke.
    return [0, *accumulate(len(line) + 1 for line in text.split("\n")[:-1])]


def _without_lone_surrogates(text: str) -> str:
    """Join surrogate pairs and replace lone halves, which JSON can carry but no encoding can; UTF-16 offsets stay."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
