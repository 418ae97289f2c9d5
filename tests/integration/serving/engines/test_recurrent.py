"""A model with one state for all that it read keeps the promises that one with K/V for each token keeps."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peft_engine.inference.contract import Engine, GenerationRequest, Tokens
from peft_engine.inference.llama import LlamaEngine
from peft_engine.inference.llama.blocks import BLOCK
from tests.integration.serving.engines.asking import Answer, answer, request

pytestmark = pytest.mark.model

WORDS = tuple(range(1000, 1000 + 4 * BLOCK))
BEGUN = 2 * BLOCK
PROMPTS = (
    WORDS[:BEGUN],
    WORDS[: BEGUN + 1],
    WORDS[: BEGUN + 36],
    (*WORDS[:BEGUN], 7, 8, 9),
    WORDS[:BLOCK],
    WORDS[:7],
)
"""Some begin as others do, at an end of a block and within one."""


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.integration.serving.engines.recurrent import write_recurrent_gguf

    return write_recurrent_gguf(tmp_path_factory.mktemp("recurrent") / "recurrent.gguf")


@pytest.fixture
def load(recurrent: Path) -> Iterator[Callable[[], Engine]]:
    loaded: list[Engine] = []

    def load() -> Engine:
        loaded.append(LlamaEngine(recurrent, context_length=512, threads=1, kept_bytes=10**9))
        return loaded[-1]

    yield load
    for engine in loaded:
        engine.unload()


def asked(prompt: tuple[int, ...]) -> GenerationRequest:
    return request(Tokens(prompt), max_tokens=6, top_logprobs=3)


def told(one: Answer) -> tuple[object, ...]:
    return one.text, one.logprobs, one.finish_reason


def cold(load: Callable[[], Engine]) -> list[tuple[object, ...]]:
    return [told(answer(load(), asked(prompt))[0]) for prompt in PROMPTS]


def test_a_state_is_used_again_only_where_it_is_that_of_the_prompt(load: Callable[[], Engine]) -> None:
    expected = cold(load)
    engine = load()
    for _ in range(2):
        assert [told(answer(engine, asked(prompt))[0]) for prompt in PROMPTS] == expected
    assert engine.kept_bytes == 0
    assert len({text for text, *_ in expected}) > 3


def test_answers_side_by_side_are_those_of_each_alone(load: Callable[[], Engine]) -> None:
    expected = cold(load)
    together = answer(load(), *map(asked, PROMPTS[:4]))

    assert [told(one) for one in together] == expected[:4]


def test_a_state_that_ends_with_a_block_serves_what_goes_on_from_there(load: Callable[[], Engine]) -> None:
    expected = cold(load)
    engine = load()
    given_up = engine.open(asked(PROMPTS[2]))
    engine.step()
    engine.step()
    given_up.close()
    (resumed,) = answer(engine, asked(PROMPTS[3]))

    assert resumed.cached_tokens == BEGUN
    assert told(resumed) == expected[3]
