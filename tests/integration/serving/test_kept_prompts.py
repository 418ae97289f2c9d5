"""Prompts that left their slot, or are known as a whole, are answered as those that never were, to the bit."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.contract import AdapterUse, Constraint, Sampling, Tokens
from peft_engine.inference.llama import LlamaEngine
from peft_engine.inference.llama.blocks import BLOCK, FAR, PART
from peft_engine.inference.llama.context import Context
from tests.integration.serving.engines.asking import Answer, answer, finish, request
from tests.integration.serving.gguf_files import write_random_adapter
from tests.property.strategies import examples

pytestmark = pytest.mark.model
CONTEXT, SLOTS, PLENTY = 2048, 2, 10**9
_RANDOM = np.random.default_rng(3)
_WORDS = [int(token) for token in _RANDOM.integers(100, 40_000, 1300)]
PROMPTS = (
    tuple(_WORDS[:5]),
    tuple(_WORDS[: 2 * BLOCK + 6]),
    (*_WORDS[: 2 * BLOCK + 6], *_WORDS[300:320]),
    tuple(_WORDS[500 : 500 + BLOCK + PART]),
    tuple(_WORDS[200:800]),
)
"""One goes on from another; one ends with a whole part; one is longer than what attention computes in one piece."""

DRAW = Sampling(temperature=0.8, top_p=0.9, seed=5)
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"sampling": DRAW},
    {"sampling": Sampling(temperature=0, top_p=1, seed=0, repetition_penalty=1.3)},
    {"constraint": Constraint("regex", "(yes|no|maybe)( (yes|no|maybe)){5}")},
)
Ask = tuple[tuple[int, ...], tuple[AdapterUse, ...], int]


@pytest.fixture(scope="module")
def sets(short_base: Path) -> list[tuple[AdapterUse, ...]]:
    """Adapters and scales of the quick model."""
    first, second = (
        AdapterUse(write_random_adapter(short_base.with_name(f"kept{seed}.gguf"), seed=seed)) for seed in (1, 2)
    )
    return [(), (first,), (AdapterUse(first.path, 0.5),), (first, second)]


@pytest.fixture
def load(short_base: Path) -> Iterator[Callable[..., LlamaEngine]]:
    loaded: list[LlamaEngine] = []

    def load(**options: Any) -> LlamaEngine:
        asked: dict[str, Any] = {"context_length": CONTEXT, "threads": 1, "slots": SLOTS, "kept_bytes": PLENTY}
        loaded.append(LlamaEngine(short_base, **(asked | options)))
        return loaded[-1]

    yield load
    for engine in loaded:
        engine.unload()


@pytest.fixture(scope="module")
def cold(short_base: Path) -> Callable[[Ask], Answer]:
    """Return what an engine answers that keeps nothing and was never asked before; each is asked of one once."""
    known: dict[Ask, Answer] = {}

    def ask(one: Ask) -> Answer:
        if one not in known:
            fresh = LlamaEngine(short_base, context_length=CONTEXT, threads=1)
            (known[one],) = answer(fresh, asked(one))
            fresh.unload()
        return known[one]

    return ask


def asked(one: Ask, max_tokens: int = 6) -> Any:
    prompt, uses, kind = one
    return request(Tokens(prompt), *uses, max_tokens=max_tokens, top_logprobs=3, **KINDS[kind])


def told(one: Answer) -> tuple[object, ...]:
    return one.text, one.logprobs, one.finish_reason, one.completion_tokens


def displace(engine: LlamaEngine) -> None:
    """Fill every slot with something else."""
    for _ in range(SLOTS):
        start = int(_RANDOM.integers(100, 40_000))
        answer(engine, request(Tokens((start, *range(100, 100 + BLOCK))), max_tokens=1))


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_a_displaced_prompt_is_brought_back_to_the_bit(
    load: Callable[..., LlamaEngine], sets: list[tuple[AdapterUse, ...]], cold: Callable[[Ask], Answer], kind: int
) -> None:
    engine = load()
    asks: list[Ask] = [(PROMPTS[1], uses, kind) for uses in sets]
    first = [answer(engine, asked(ask))[0] for ask in asks]
    displace(engine)
    again = [answer(engine, asked(ask))[0] for ask in asks]

    assert [one.cached_tokens for one in first] == [0] * len(sets)
    assert [one.cached_tokens for one in again] == [len(PROMPTS[1])] * len(sets)
    assert [told(one) for one in first] == [told(one) for one in again] == [told(cold(ask)) for ask in asks]


def test_a_displaced_conversation_goes_on_from_where_it_was(
    load: Callable[..., LlamaEngine], cold: Callable[[Ask], Answer]
) -> None:
    engine = load()
    answer(engine, asked((PROMPTS[1], (), 0)))
    displace(engine)
    (longer,) = answer(engine, asked((PROMPTS[2], (), 0)))

    assert longer.cached_tokens == 2 * BLOCK
    assert told(longer) == told(cold((PROMPTS[2], (), 0)))


def test_a_long_prompt_with_another_end_computes_little(
    load: Callable[..., LlamaEngine], sets: list[tuple[AdapterUse, ...]], cold: Callable[[Ask], Answer]
) -> None:
    engine = load()
    long = tuple(_WORDS[: FAR + 22])
    for uses in sets[:2]:
        answer(engine, asked((long, uses, 0)))
        (other,) = answer(engine, asked(((*long, 7, 8, 9), uses, 0)))

        assert other.cached_tokens == FAR + 20
        assert told(other) == told(cold(((*long, 7, 8, 9), uses, 0)))


def test_a_prompt_that_is_known_as_a_whole_is_answered_without_computing_it(
    load: Callable[..., LlamaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load()
    first = answer(engine, *[asked((prompt, (), 1)) for prompt in PROMPTS[:2]])
    computed: list[object] = []
    monkeypatch.setattr(Context, "compute_block", lambda *block, **_: computed.append(block))

    sequences = [engine.open(asked((prompt, (), 1))) for prompt in PROMPTS[:2]]

    assert [one.completion_tokens for one in sequences] == [1, 1]
    assert [told(one) for one in finish(engine, sequences)] == [told(one) for one in first]
    assert computed == []


def test_another_choice_of_a_prompt_is_another_draw_of_the_same_logits(load: Callable[..., LlamaEngine]) -> None:
    engine, fresh = load(), load()
    draws = [Sampling(temperature=1.2, top_p=1, seed=seed) for seed in range(4)]
    after = [answer(engine, request(Tokens(PROMPTS[1]), sampling=draw, top_logprobs=2))[0] for draw in draws]
    before = [answer(load(), request(Tokens(PROMPTS[1]), sampling=draw, top_logprobs=2))[0] for draw in draws]
    together = answer(fresh, *[request(Tokens(PROMPTS[1]), sampling=draw, top_logprobs=2) for draw in draws[:SLOTS]])

    assert [told(one) for one in after] == [told(one) for one in before]
    assert [told(one) for one in together] == [told(one) for one in before[:SLOTS]]
    assert [one.cached_tokens for one in together] == [0, len(PROMPTS[1])]
    assert len({one.text for one in after}) > 1


def test_prompts_with_one_beginning_that_come_together_compute_it_once(
    load: Callable[..., LlamaEngine], cold: Callable[[Ask], Answer]
) -> None:
    asks: list[Ask] = [(PROMPTS[1], (), 0), (PROMPTS[2], (), 1)]
    together = answer(load(), *map(asked, asks))

    assert [one.cached_tokens for one in together] == [0, 2 * BLOCK]
    assert [told(one) for one in together] == [told(cold(ask)) for ask in asks]


@given(data=st.data())
@examples(25)
def test_I2_whatever_is_asked_in_whatever_order_the_answers_stay_what_they_are(
    short_base: Path, sets: list[tuple[AdapterUse, ...]], cold: Callable[[Ask], Answer], data: st.DataObject
) -> None:
    budget = data.draw(st.sampled_from([0, 300_000, 2_000_000, PLENTY]))
    engine = LlamaEngine(short_base, context_length=CONTEXT, threads=1, slots=SLOTS, kept_bytes=budget)
    try:
        _ask_at_random(engine, budget, sets, cold, data)
    finally:
        engine.unload()


def _ask_at_random(
    engine: LlamaEngine,
    budget: int,
    sets: list[tuple[AdapterUse, ...]],
    cold: Callable[[Ask], Answer],
    data: st.DataObject,
) -> None:
    # A vocabulary for constraints takes each engine a second, and many engines answer here.
    kinds = st.sampled_from([number for number, kind in enumerate(KINDS) if "constraint" not in kind])
    possible = st.tuples(st.sampled_from(PROMPTS), st.sampled_from(sets), kinds)
    running: list[tuple[Ask, Any, Answer]] = []
    for _ in range(data.draw(st.integers(1, 20))):
        deed = data.draw(st.sampled_from(["open", "open", "step", "finish", "close", "forget"]))
        if deed == "open" and len(running) < SLOTS:
            ask = data.draw(possible)
            running.append((ask, engine.open(asked(ask)), Answer()))
        elif deed == "forget":
            engine.forget_kept(data.draw(st.integers(0, 3_000_000)))
        elif deed == "step":
            engine.step()
        elif running:
            ask, sequence, found = running.pop(data.draw(st.integers(0, len(running) - 1)))
            while deed != "close" and sequence.finish_reason is None:
                engine.step()
            found.add(sequence)
            sequence.close()
            expected = cold(ask)
            assert found.logprobs == expected.logprobs[: len(found.logprobs)]
            assert deed == "close" or found.text == expected.text
        assert engine.kept_bytes <= budget


def test_what_is_kept_counts_and_goes_when_memory_is_wanted(load: Callable[..., LlamaEngine]) -> None:
    engine = load()
    empty = engine.memory_bytes
    answer(engine, asked((PROMPTS[4], (), 0), max_tokens=1))
    displace(engine)

    assert engine.memory_bytes - empty == engine.kept_bytes > 0
    engine.forget_kept(1)
    assert engine.kept_bytes == 0
    assert answer(engine, asked((PROMPTS[4], (), 0)))[0].cached_tokens == 0


def test_nothing_is_kept_where_nothing_may_be(load: Callable[..., LlamaEngine]) -> None:
    engine = load(kept_bytes=0)
    answer(engine, asked((PROMPTS[1], (), 0)))
    displace(engine)

    assert engine.kept_bytes == 0
    assert answer(engine, asked((PROMPTS[1], (), 0)))[0].cached_tokens == 0
