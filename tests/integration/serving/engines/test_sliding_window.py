"""A model that looks back at the last tokens alone keeps the promises that one with K/V for all of them keeps."""

from pathlib import Path

import pytest

from peft_engine.inference.contract import Tokens
from peft_engine.inference.llama import LlamaEngine
from peft_engine.inference.llama.blocks import BLOCK
from tests.integration.serving.engines.asking import Answer, answer, request
from tests.integration.serving.engines.sliding_window import WINDOW, write_sliding_window_gguf

pytestmark = pytest.mark.model
WORDS = tuple(range(1000, 1000 + 4 * BLOCK))
PROMPTS = (WORDS, WORDS[: 2 * BLOCK], (*WORDS[: 2 * BLOCK], 7, 8, 9), WORDS[:7])


def asked(prompt: tuple[int, ...]):
    return request(Tokens(prompt), max_tokens=WINDOW + 8, top_logprobs=3)


def told(one: Answer) -> tuple[object, ...]:
    return one.text, one.logprobs, one.finish_reason


def test_what_was_read_before_changes_nothing_and_no_window_is_kept(tmp_path: Path) -> None:
    path = write_sliding_window_gguf(tmp_path / "window.gguf")

    def load() -> LlamaEngine:
        return LlamaEngine(path, context_length=512, threads=1, slots=2, kept_bytes=10**9)

    cold = []
    for prompt in PROMPTS:
        fresh = load()
        cold.append(told(answer(fresh, asked(prompt))[0]))
        fresh.unload()
    engine = load()
    for _ in range(2):
        assert [told(answer(engine, asked(prompt))[0]) for prompt in PROMPTS] == cold
    assert [told(one) for one in answer(engine, *map(asked, PROMPTS[1:3]))] == cold[1:3]
    assert engine.kept_bytes == 0
    engine.unload()
