"""Answers that are computed side by side are those that each would be alone, to the bit."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.contract import AdapterUse, Constraint, Tokens
from peft_engine.inference.llama import LlamaEngine
from peft_engine.inference.llama.blocks import BLOCK
from peft_engine.inference.llama.context import Context, NextToken
from tests.integration.serving.engines.asking import Answer, answer, finish, request
from tests.integration.serving.gguf_files import write_random_adapter
from tests.property.strategies import examples

pytestmark = pytest.mark.model
CONTEXT = 1024
_RANDOM = np.random.default_rng(0)
_WORDS = [int(token) for token in _RANDOM.integers(100, 40_000, 700)]
PROMPTS = (
    tuple(_WORDS[:5]),
    tuple(_WORDS[: 2 * BLOCK + 6]),
    (*_WORDS[: BLOCK + 9], *_WORDS[300:340]),
    tuple(_WORDS[: 3 * BLOCK]),
)
LONG = tuple(_WORDS)
"""Longer than what attention computes in one piece."""

Ask = tuple[tuple[int, ...], tuple[AdapterUse, ...]]


@pytest.fixture(scope="module")
def adapters(short_base: Path) -> tuple[AdapterUse, ...]:
    """Adapters of the quick model."""
    return tuple(
        AdapterUse(write_random_adapter(short_base.with_name(f"adapter{seed}.gguf"), seed=seed)) for seed in (1, 2, 3)
    )


@pytest.fixture(scope="module", params=[1, 2], ids=["one-thread", "two-threads"])
def threads(request: pytest.FixtureRequest) -> int:
    """Attention splits long rows among threads."""
    return int(request.param)


@pytest.fixture(scope="module")
def engine(short_base: Path, threads: int) -> Iterator[LlamaEngine]:
    """One engine for all tests, which none of them may harm."""
    engine = LlamaEngine(short_base, context_length=CONTEXT, threads=threads)
    yield engine
    engine.unload()


@pytest.fixture(scope="module")
def cold(short_base: Path, threads: int) -> Callable[[Ask], Answer]:
    """Return what an engine answers that was never asked before; each question is asked of one once."""
    known: dict[Ask, Answer] = {}

    def ask(one: Ask) -> Answer:
        if one not in known:
            fresh = LlamaEngine(short_base, context_length=CONTEXT, threads=threads)
            (known[one],) = answer(fresh, asked(one))
            fresh.unload()
        return known[one]

    return ask


def asked(one: Ask, max_tokens: int | None = 6):
    return request(Tokens(one[0]), *one[1], max_tokens=max_tokens, top_logprobs=3)


def test_000_P8_answers_under_one_adapter_share_batches_and_stay_what_they_are(
    engine: LlamaEngine, adapters: tuple[AdapterUse, ...], cold: Callable[[Ask], Answer]
) -> None:
    asks = [(prompt, (adapters[0],)) for prompt in PROMPTS]

    together = answer(engine, *map(asked, asks))

    assert [one.logprobs for one in together] == [cold(ask).logprobs for ask in asks]
    assert all(len(one.logprobs) == 6 for one in together)


def test_000_P8_answers_under_unlike_adapters_stay_what_they_are(
    engine: LlamaEngine, adapters: tuple[AdapterUse, ...], cold: Callable[[Ask], Answer]
) -> None:
    first, second, _ = adapters
    sets = ((first,), (second,), (first, second), ())
    asks = [(PROMPTS[1], uses) for uses in sets]

    together = answer(engine, *map(asked, asks))

    assert [one.logprobs for one in together] == [cold(ask).logprobs for ask in asks]
    assert len({tuple(token.logprob for token in one.logprobs) for one in together}) == len(sets)


def test_000_P8_batches_are_such_as_llama_cpp_computes_in_one_piece(
    engine: LlamaEngine, cold: Callable[[Ask], Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a batch apart where a sequence does not follow the one before it, unseen but for the time."""
    batches: list[list[int]] = []
    compute = Context.compute_tokens

    def seen(self: Context, rows: Sequence[NextToken]) -> None:
        batches.append([row.sequence for row in rows])
        compute(self, rows)

    asks: list[Ask] = [((*PROMPTS[1], number), ()) for number in range(100, 100 + engine.slots)]
    answer(engine, *map(asked, asks))
    monkeypatch.setattr(Context, "compute_tokens", seen)
    # Each finds its prompt in the slot that has it, whatever the order they come back in.
    together = [engine.open(asked(ask, max_tokens=20)) for ask in reversed(asks)]
    found = [Answer() for _ in together]
    for beside in (len(together), len(together) - 1):
        for _ in range(9):
            engine.step()
            for one, sequence in zip(found, together, strict=True):
                one.add(sequence)
        last = {tuple(batch) for batch in batches[-2:]}
        assert last <= ({(0, 1, 2, 3)} if beside == engine.slots else {(0,), (2, 3)})
        next(sequence for sequence in together if sequence.number == 1).close()
    for sequence in together:
        sequence.close()

    assert all(batch == list(range(batch[0], batch[0] + len(batch))) for batch in batches)
    for one, ask in zip(found, reversed(asks), strict=True):
        assert one.logprobs[:6] == cold(ask).logprobs


def test_a_long_conversation_beside_short_ones_changes_none_of_them(
    engine: LlamaEngine, cold: Callable[[Ask], Answer]
) -> None:
    asks: list[Ask] = [(LONG, ()), (PROMPTS[0], ()), (LONG[:600], ())]

    together = answer(engine, *map(asked, asks))

    assert [one.logprobs for one in together] == [cold(ask).logprobs for ask in asks]


@given(data=st.data())
@examples(25)
def test_I2_requests_in_flight_finish_on_the_adapter_they_began_with(
    engine: LlamaEngine, adapters: tuple[AdapterUse, ...], cold: Callable[[Ask], Answer], data: st.DataObject
) -> None:
    first, second, _ = adapters
    sets = [(), (first,), (second,), (first, second), (AdapterUse(first.path, 0.5),)]
    possible = st.tuples(st.sampled_from(PROMPTS), st.sampled_from(sets))
    running: list[tuple[Ask, object, Answer]] = []

    def check(ask: Ask, found: Answer) -> None:
        assert found.logprobs == cold(ask).logprobs[: len(found.logprobs)]

    for _ in range(data.draw(st.integers(1, 12))):
        deed = data.draw(st.sampled_from(["open", "step", "step", "close"]))
        if deed == "open" and len(running) < engine.slots:
            ask = data.draw(possible)
            running.append((ask, engine.open(asked(ask)), Answer()))
        elif deed == "close" and running:
            ask, sequence, found = running.pop(data.draw(st.integers(0, len(running) - 1)))
            sequence.close()
            check(ask, found)
        else:
            engine.step()
            for _, sequence, found in running:
                found.add(sequence)
    for (ask, _, found), rest in zip(running, finish(engine, [one[1] for one in running]), strict=True):
        check(ask, Answer(logprobs=[*found.logprobs, *rest.logprobs]))
        assert len(found.logprobs) + len(rest.logprobs) == 6
    for _, sequence, _ in running:
        sequence.close()


def test_answers_under_unlike_adapters_take_turns_with_each_other_and_with_a_long_prompt(
    engine: LlamaEngine, adapters: tuple[AdapterUse, ...]
) -> None:
    # As many as the context holds: a fast machine writes some hundred in the turns that pass.
    most = CONTEXT - len(PROMPTS[0])
    short_ones = [engine.open(asked((PROMPTS[0], (use,)), max_tokens=most)) for use in adapters]
    reading = engine.open(asked((LONG, ())))
    for _ in range(10_000):
        engine.step()
        if reading.completion_tokens:
            break
    for one in short_ones:
        assert 0 < one.completion_tokens < most
    for one in (*short_ones, reading):
        one.close()


def test_a_closed_answer_takes_no_more_time_and_its_slot_serves_again(engine: LlamaEngine) -> None:
    for _ in range(3 * engine.slots):
        sequence = engine.open(asked((PROMPTS[1], ())))
        engine.step()
        sequence.close()
        given = sequence.completion_tokens
        engine.step()
        assert sequence.completion_tokens == given


def test_answers_to_one_prompt_share_what_was_computed_of_it(engine: LlamaEngine) -> None:
    ask = ((*_WORDS[400 : 400 + 3 * BLOCK], 7), ())
    first = engine.open(asked(ask))
    for _ in range(4):
        engine.step()

    second = engine.open(asked(ask))

    assert (first.cached_tokens, second.cached_tokens) == (0, 3 * BLOCK + 1)
    one, other = finish(engine, [first, second])
    assert one.logprobs == other.logprobs
    first.close()
    second.close()


def test_rows_that_a_batch_would_round_otherwise_are_computed_singly(
    engine: LlamaEngine, short_base: Path, cold: Callable[[Ask], Answer]
) -> None:
    """An adapter with unlike ranks is loaded as it is, and llama.cpp has two routines for it."""
    use = AdapterUse(write_random_adapter(short_base.with_name("unlike.gguf"), seed=9, ranks=(4, 8)))
    asks: list[Ask] = [(prompt, (use,)) for prompt in PROMPTS]

    together = answer(engine, *map(asked, asks))

    assert [one.logprobs for one in together] == [cold(ask).logprobs for ask in asks]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_rewritten_adapter_computes_what_the_file_says(
    engine: LlamaEngine, short_base: Path, dtype: type[np.floating], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_random_adapter(short_base.with_name(f"{dtype.__name__}.gguf"), seed=4, dtype=dtype)
    ask = asked((PROMPTS[1], (AdapterUse(path),)), max_tokens=1)
    (rewritten,) = answer(engine, ask)
    monkeypatch.setattr("peft_engine.inference.llama.odd_rank._TILE", 1000)
    as_it_is = LlamaEngine(short_base, context_length=CONTEXT, threads=1)
    (plain,) = answer(as_it_is, ask)
    as_it_is.unload()

    assert rewritten.ids == plain.ids
    assert rewritten.logprobs[0].logprob == pytest.approx(plain.logprobs[0].logprob, abs=0.05)


def test_answers_go_on_while_the_vocabulary_of_the_first_constraint_is_made(short_base: Path) -> None:
    engine = LlamaEngine(short_base, context_length=CONTEXT, threads=1)
    constrained = request("Answer.", max_tokens=4, constraint=Constraint("regex", "yes|no"))
    running = engine.open(asked((PROMPTS[0], ()), max_tokens=None))
    made = threading.Event()
    assert not engine.ready(constrained, made.set)
    while not made.is_set() and running.finish_reason is None:
        engine.step()

    assert running.completion_tokens > 1
    assert made.wait(300)
    assert engine.ready(constrained, made.set)
    assert answer(engine, constrained)[0].text in ("yes", "no")
    engine.unload()
