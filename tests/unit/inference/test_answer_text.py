"""Text comes out whole: characters, and never a part of a stop text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.answer_text import AnswerText


def assemble(pieces: list[bytes], stops: tuple[str, ...] = ()) -> tuple[list[str], bool]:
    answer = AnswerText(stops)
    shown = []
    for piece in pieces:
        answer.feed(piece)
        shown.append(answer.take())
    answer.end()
    shown.append(answer.take())
    return shown, answer.stopped


def test_a_character_spread_over_pieces_comes_once_it_is_whole() -> None:
    parrot = "🦜".encode()

    shown, _ = assemble([b"a", parrot[:1], parrot[1:3], parrot[3:], b"b"])

    assert shown == ["a", "", "", "🦜", "b", ""]


def test_a_character_that_is_cut_off_at_the_end_is_dropped() -> None:
    assert "".join(assemble([b"ok", "é".encode()[:1]])[0]) == "ok"


def test_a_byte_that_is_no_text_is_marked() -> None:
    assert "".join(assemble([b"a\xffb"])[0]) == "a�b"


def test_the_start_of_a_stop_text_is_held_back_until_it_is_decided() -> None:
    shown, stopped = assemble([b"one </", b"s", b"> two"], ("</s>",))

    assert shown == ["one ", "", "", ""]
    assert stopped


def test_what_only_looked_like_a_stop_text_is_shown() -> None:
    shown, stopped = assemble([b"a </", b"b"], ("</s>",))

    assert shown == ["a ", "</b", ""]
    assert not stopped


def test_held_back_text_is_shown_when_the_answer_ends() -> None:
    assert assemble([b"a </"], ("</s>",)) == (["a ", "</"], False)


@pytest.mark.parametrize(("stops", "text"), [(("b", "ab"), ""), (("ab", "b"), ""), (("c", "b"), "a")])
def test_the_earliest_of_several_stop_texts_ends_the_answer(stops: tuple[str, ...], text: str) -> None:
    assert "".join(assemble([b"abc"], stops)[0]) == text


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=4), max_size=3), st.data())
def test_however_the_bytes_are_cut_the_text_is_the_same(text: str, stops: list[str], data: st.DataObject) -> None:
    raw = text.encode("utf-8", errors="replace")
    whole = raw.decode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]

    shown, stopped = assemble(pieces, tuple(stops))

    found = [whole.find(stop) for stop in stops if stop in whole]
    # A stop text may end inside a longer one that began earlier, so any cut is at the first that became complete.
    assert stopped == bool(found)
    if not found:
        assert "".join(shown) == whole
    else:
        assert whole.startswith("".join(shown))
        assert not any(stop in "".join(shown) for stop in stops)
