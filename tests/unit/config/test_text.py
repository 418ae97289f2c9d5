"""Positions: lines as LSP counts them, characters in UTF-16."""

import pytest

from peft_engine.config.text import SourceText
from peft_schemas.findings import Position, Range


@pytest.mark.parametrize(
    ("text", "offset", "line", "character"),
    [
        ("", 0, 0, 0),
        ("ab\ncd", 4, 1, 1),
        ("ab\r\ncd", 4, 1, 0),
        ("ab\rcd", 3, 1, 0),
        ("a\u2028b", 2, 0, 2),
        ("a\x0cb", 2, 0, 2),
        ("é: x", 3, 0, 3),
        ("😀: x", 3, 0, 4),
        ("a\n😀😀b", 4, 1, 4),
        ("a\n", 2, 1, 0),
    ],
)
def test_offsets_and_positions_agree(text: str, offset: int, line: int, character: int) -> None:
    source = SourceText(text)
    position = Position(line=line, character=character)
    assert source.position(offset) == position
    assert source.offset(position) == offset


def test_what_lies_beyond_a_line_or_the_text_means_its_end() -> None:
    source = SourceText("ab\r\ncd")
    assert source.offset(Position(line=0, character=99)) == 2
    assert source.offset(Position(line=9, character=0)) == 6


def test_replace_takes_a_range() -> None:
    source = SourceText("😀a\nb")
    edit = Range(start=Position(line=0, character=2), end=Position(line=1, character=0))
    assert source.replace(edit, "-").text == "😀-b"


def test_lone_surrogates_become_replacement_characters_of_the_same_width() -> None:
    assert SourceText("a\ud800b\ud83d\ude00").text == "a\ufffdb😀"


def test_lines_come_without_their_ends() -> None:
    source = SourceText("a\r\nb\rc\n")
    assert [source.line(line) for line in range(source.line_count)] == ["a", "b", "c", ""]
