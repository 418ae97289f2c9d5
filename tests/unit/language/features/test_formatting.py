"""Formatting over ranges, options and the line that is being begun. What formatting keeps is a property elsewhere."""

import pytest

from peft_daemon.language.features.formatting import format_document, format_new_line, format_range
from tests.unit.language.features.marked import after, at, opened

UNTIDY = """\

# Trains.
version:   1


model:
    base : org/m   # the base
    dtype:   auto
datasets:
- path:   a.csv
  # heavier
  weight:  2
# About the loop.
training: {seed:  1,
    packing: true}
evaluation:
      split: 0.1
      # left over"""

TIDY = """\
# Trains.
version: 1

model:
  base: org/m   # the base
  dtype: auto
datasets:
  - path: a.csv
    # heavier
    weight: 2
# About the loop.
training: {seed:  1,
    packing: true}
evaluation:
  split: 0.1
  # left over
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_A16_a_document_gets_its_layout_and_keeps_its_line_ends(end: str) -> None:
    document = opened(UNTIDY.replace("\n", end))
    assert after(document, format_document(document)) == TIDY.replace("\n", end)


def test_A16_edits_are_as_small_as_the_changes() -> None:
    assert format_document(opened(TIDY)) == []
    (edit,) = format_document(opened(TIDY.replace("dtype: auto", "dtype:  auto")))
    assert (edit["range"]["start"], edit["newText"]) == ({"line": 5, "character": 8}, " ")


def test_A16_sections_are_indented_as_the_editor_asks() -> None:
    document = opened("model: \n  base: x\ndatasets:\n  - path: y\n    weight: 2\n")
    assert after(document, format_document(document, 4)) == (
        "model:\n    base: x\ndatasets:\n    - path: y\n      weight: 2\n"
    )


def test_A16_a_document_with_faults_is_not_formatted() -> None:
    assert format_document(opened("a:   1\nb: [1\n")) == []


def test_A16_a_selection_is_formatted_alone() -> None:
    document = opened("a:   1\nb:   2\nc:   3\n")
    for end in ({"line": 1, "character": 4}, {"line": 2, "character": 0}):
        edits = format_range(document, {"start": {"line": 1, "character": 0}, "end": end})
        assert after(document, edits) == "a:   1\nb: 2\nc:   3\n"


def test_A16_lines_that_cannot_move_alone_keep_their_column() -> None:
    document = opened("a:\n    b:   1\n    c:   2\n")
    place = {"line": 1, "character": 0}
    assert after(document, format_range(document, {"start": place, "end": place})) == "a:\n    b: 1\n    c:   2\n"


@pytest.mark.parametrize(
    ("above", "column"),
    [
        ("training:", 2),
        ("training: # the loop", 2),
        ("  seed: 1", 2),
        ("  seed: 1 # x:", 2),
        ("method: {r: 8}", 0),
        ("datasets:", 2),
        ("  - path: x", 4),
        ("  - columns:", 6),
        ("  - q_proj", 2),
        ("  - 'a: b'", 2),
        ("  - - x: 1", 6),
        ("  'quoted key': 1", 2),
        ("note: |", 2),
        ("  note: >- # x", 4),
        ("base: &anchor", 2),
        ("  r: [1,", 4),
        ("  # a comment:", 2),
        ("\ufefftraining:", 2),
        ("  path: a:b", 2),
    ],
)
def test_A16_a_new_line_begins_where_the_language_expects_it(above: str, column: int) -> None:
    for below, typed in (("", ""), ("\nname: x\n", "      ")):
        document, position = at(f"{above}\n{typed}¦{below}")
        edits = format_new_line(document, position)
        if below == "":
            assert after(document, edits) == f"{above}\n{' ' * column}"
        else:
            assert after(document, edits) == f"{above}\n{' ' * column}{below}"


def test_A16_a_line_that_is_written_already_is_not_moved() -> None:
    document, position = at("training:\n¦  seed: 1\n")
    assert format_new_line(document, position) == []
    document, position = at("  packing: true\n\n¦datasets:\n")
    assert format_new_line(document, position) == []
    assert format_new_line(opened("a: 1"), {"line": 9, "character": 0}) == []
