"""Answers under an adapter do not depend on what was computed before, to the bit."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running
from peft_engine.inference.contract import AdapterUse
from peft_engine.inference.llama import LlamaEngine
from peft_engine.inference.llama.blocks import BLOCK
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import Answer, answer, request, said
from tests.integration.serving.gguf_files import write_random_adapter
from tests.integration.serving.homes import BASE, Served, complete_run

pytestmark = pytest.mark.model
QUESTIONS = ["What is the capital of France?", "Name three colours. " * 22]
Ask = Callable[..., Answer]


def ask(engine: LlamaEngine, question: str, *uses: AdapterUse) -> Answer:
    """Return the beginning of an answer and how likely each of its tokens was."""
    return answer(engine, request(said(question), *uses, max_tokens=4, top_logprobs=3))[0]


@pytest.fixture
def engine(short_base: Path) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(short_base, context_length=1024, threads=1)
    yield engine
    engine.unload()


@pytest.fixture
def cold(short_base: Path) -> Ask:
    """Ask an engine that was never asked before."""

    def ask_cold(question: str, *uses: AdapterUse) -> Answer:
        fresh = LlamaEngine(short_base, context_length=1024, threads=1)
        try:
            return ask(fresh, question, *uses)
        finally:
            fresh.unload()

    return ask_cold


@pytest.fixture
def adapters(tmp_path: Path) -> tuple[Path, Path]:
    return (
        write_random_adapter(tmp_path / "first.gguf", seed=1),
        write_random_adapter(tmp_path / "second.gguf", seed=2),
    )


def test_000_P8_answers_after_a_switch_equal_a_cold_run(
    engine: LlamaEngine, cold: Ask, adapters: tuple[Path, Path]
) -> None:
    first, second = (AdapterUse(path) for path in adapters)
    sets: list[tuple[AdapterUse, ...]] = [(first,), (second,), (), (first, second)]
    expected = {uses: cold(QUESTIONS[1], *uses).logprobs for uses in sets}
    assert len({tuple(token.logprob for token in logprobs) for logprobs in expected.values()}) == len(sets)

    for uses in [*sets, sets[0], sets[2], sets[0]]:
        assert ask(engine, QUESTIONS[1], *uses).logprobs == expected[uses]


def test_what_one_adapter_computed_serves_no_other(engine: LlamaEngine, adapters: tuple[Path, Path]) -> None:
    first, second = (AdapterUse(path) for path in adapters)
    sets: list[tuple[AdapterUse, ...]] = [(first,), (second,), (), (AdapterUse(first.path, 0.5),)]

    assert [ask(engine, QUESTIONS[1], *uses).cached_tokens for uses in sets] == [0] * len(sets)
    assert all(ask(engine, QUESTIONS[1], *uses).cached_tokens for uses in sets)


def test_a_reused_prefix_gives_the_answer_of_a_cold_run(
    engine: LlamaEngine, cold: Ask, adapters: tuple[Path, Path]
) -> None:
    use = AdapterUse(adapters[0])
    ask(engine, QUESTIONS[1] * 2, use)
    other_end = QUESTIONS[1] + "And now something else entirely."

    warm = ask(engine, other_end, use)

    assert warm.cached_tokens >= BLOCK
    assert warm.logprobs == cold(other_end, use).logprobs


def test_the_same_adapter_at_another_scale_is_another_adapter(
    engine: LlamaEngine, cold: Ask, adapters: tuple[Path, Path]
) -> None:
    whole, half, nothing = (AdapterUse(adapters[0], scale) for scale in (1.0, 0.5, 0.0))
    answers = [ask(engine, QUESTIONS[1], *uses).logprobs for uses in ((whole,), (half,), (nothing,), ())]

    assert answers[0] != answers[1] != answers[2]
    assert answers[1] == cold(QUESTIONS[1], half).logprobs
    assert answers[2] == answers[3]


def test_another_file_at_the_same_path_is_another_adapter(
    engine: LlamaEngine, cold: Ask, adapters: tuple[Path, Path]
) -> None:
    path, other = adapters
    before = ask(engine, QUESTIONS[1], AdapterUse(path))
    other.rename(path)
    after = ask(engine, QUESTIONS[1], AdapterUse(path))

    assert after.cached_tokens == 0
    assert after.logprobs != before.logprobs
    assert after.logprobs == cold(QUESTIONS[1], AdapterUse(path)).logprobs


def test_the_same_content_at_another_path_is_the_same_adapter(
    engine: LlamaEngine, adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    ask(engine, QUESTIONS[1], AdapterUse(adapters[0]))
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(adapters[0].read_bytes())

    assert ask(engine, QUESTIONS[1], AdapterUse(copy)).cached_tokens > 0


def test_adapters_that_were_not_used_for_long_are_forgotten_and_loaded_again(
    engine: LlamaEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses = [AdapterUse(write_random_adapter(tmp_path / f"{seed}.gguf", seed=seed)) for seed in range(4)]
    size = uses[0].path.stat().st_size
    monkeypatch.setattr(engine._adapters, "_budget", 2 * size)
    without = engine.memory_bytes
    expected = [ask(engine, "Hello there.", use).logprobs for use in uses]

    assert engine.memory_bytes - without <= 2 * size
    for use, logprobs in zip(uses, expected, strict=True):
        assert ask(engine, "Hello there.", use).logprobs == logprobs


def test_an_adapter_that_is_gone_or_of_another_base_is_refused_by_name(engine: LlamaEngine, tmp_path: Path) -> None:
    foreign = write_random_adapter(tmp_path / "foreign.gguf", seed=1, width=64)
    for path, code in ((tmp_path / "gone.gguf", "adapter-missing"), (foreign, "model-unreadable")):
        with pytest.raises(WorkbenchError, match=path.name) as refused:
            ask(engine, "Hello there.", AdapterUse(path))
        assert refused.value.code == code
    assert ask(engine, "Hello there.").completion_tokens > 0


def test_texts_of_one_process_equal_those_of_fresh_ones(
    served: Served, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = [served.first, served.second, BASE, served.first]
    warm = [[served.say(model, question) for question in QUESTIONS] for model in order]

    for model, texts in zip(order[:3], warm, strict=False):
        monkeypatch.setenv("PEFTW_HOME", str(home))
        complete_run("first", seed=1) if not (home / "runs").exists() else None
        complete_run("second", seed=2) if not (home / "runs" / "second-1").exists() else None
        fresh = Served(home, ensure_running(), served.first, served.second)
        assert [fresh.say(model, question) for question in QUESTIONS] == texts
        endpoint.stop()
    assert warm[3] == warm[0]
    assert warm[0] != warm[1] != warm[2]
