"""A vocabulary for constraints is made once, when it is wanted, and by a thread of its own."""

import threading

import pytest
from llguidance import LLTokenizer

from peft_engine.inference.guide import Guide


def test_it_is_made_by_another_thread_once_it_is_wanted() -> None:
    gate, told, makers = threading.Event(), threading.Event(), list[str]()

    def make() -> LLTokenizer:
        makers.append(threading.current_thread().name)
        assert gate.wait(60)
        return LLTokenizer("byte")

    guide = Guide(make)
    assert not makers
    assert not guide.ready(told.set)
    assert not guide.ready(told.set)
    assert not told.is_set()
    gate.set()

    assert guide.get() is guide.get()
    assert told.wait(60)
    assert guide.ready(told.set)
    assert makers == ["vocabulary"]
    guide.close()


def test_what_went_wrong_is_told_to_whoever_wants_it() -> None:
    def make() -> LLTokenizer:
        raise ValueError("a token without end")

    guide = Guide(make)
    for _ in range(2):
        with pytest.raises(ValueError, match="without end"):
            guide.get()
    assert guide.ready(lambda: None)


def test_a_guide_that_nobody_wanted_needs_no_end() -> None:
    Guide(lambda: LLTokenizer("byte")).close()
