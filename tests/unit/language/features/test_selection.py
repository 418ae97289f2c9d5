"""Selection ranges."""

from itertools import pairwise

import pytest

from peft_daemon.language.features.selection import selection_range
from tests.property.strategies import SNIPPETS
from tests.unit.language.features.marked import at, opened, shown

TEXT = 'a: 1\r\ndatasets:\r\n  - path: "😀/x y.csv"\r\n    weight: 2\r\n  - {path: b} # 😀 note\r\n'


def steps(marked: str) -> list[str]:
    document, position = at(marked)
    current, found = selection_range(document, position), []
    while current:
        found.append(shown(document, current["range"]))
        current = current.get("parent")
    return found


def test_a_quoted_value_grows_to_its_quotes_its_entry_its_item_its_list_its_section_and_the_document() -> None:
    found = steps(TEXT.replace("x y", "x¦ y"))
    item = 'path: "😀/x y.csv"\r\n    weight: 2'
    sequence = f"- {item}\r\n  - {{path: b}}"
    section = f"datasets:\r\n  {sequence}"
    assert found[:3] == ["😀/x y.csv", '"😀/x y.csv"', 'path: "😀/x y.csv"']
    assert found[3:] == [item, sequence, section, f"a: 1\r\n{section}", TEXT]


def test_a_key_grows_to_its_entry() -> None:
    assert steps("method:\n  r¦: 8\n  alpha: 2\n")[:3] == ["r", "r: 8", "r: 8\n  alpha: 2"]


def test_a_comment_is_selected_as_one() -> None:
    assert steps(TEXT.replace("note", "no¦te"))[0] == "# 😀 note"


@pytest.mark.parametrize("text", [*SNIPPETS, "a: &a [*a", "a: |\n  x\n", ""])
def test_ranges_of_odd_texts_hold_each_other(text: str) -> None:
    document = opened(text)
    for character in range(6):
        current = selection_range(document, {"line": 0, "character": character})
        spans = []
        while current:
            ends = current["range"]["start"], current["range"]["end"]
            spans.append(tuple((end["line"], end["character"]) for end in ends))
            current = current.get("parent")
        assert all(outer[0] <= inner[0] and inner[1] <= outer[1] for inner, outer in pairwise(spans))
