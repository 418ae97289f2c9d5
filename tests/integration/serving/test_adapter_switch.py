"""Answers under an adapter do not depend on what was computed before, to the bit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running
from peft_engine.inference.contract import AdapterUse
from peft_engine.inference.llama.adapters import Adapters
from peft_engine.inference.llama.context import BLOCK, Context
from peft_engine.inference.llama.native import lib
from peft_engine.inference.llama.weights import Weights
from tests.integration.serving.homes import BASE, Served, complete_run, write_adapter

pytestmark = pytest.mark.model
Logits = npt.NDArray[np.float32]
QUESTIONS = ["What is the capital of France?", "Name three colours. " * 22]


class Bench:
    """A base with a context, asked for the logits after a prompt."""

    def __init__(self, gguf: Path) -> None:
        self.weights = Weights(gguf)
        self.adapters = Adapters(self.weights)
        self.context = Context(self.weights, self.adapters, length=1024, threads=1)

    def logits(self, prompt: list[int], use: AdapterUse | None) -> tuple[int, Logits]:
        """Return how many tokens were reused, and the logits after the prompt."""
        kept = self.context.begin(prompt, self.adapters.key(use))
        for start in range(kept, len(prompt), BLOCK):
            self.context.decode_block(prompt[start : start + BLOCK])
        row = lib.llama_get_logits_ith(self.context.handle, -1)
        return kept, np.ctypeslib.as_array(row, (self.weights.vocabulary_size,)).copy()

    def close(self) -> None:
        self.context.free()
        self.weights.unload()


@pytest.fixture
def bench(gguf_base: Path) -> Iterator[Bench]:
    bench = Bench(gguf_base)
    yield bench
    bench.close()


@pytest.fixture
def adapters(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    write_adapter(first, seed=1)
    write_adapter(second, seed=2)
    return first, second


def cold(gguf: Path, prompt: list[int], use: AdapterUse | None) -> Logits:
    fresh = Bench(gguf)
    try:
        return fresh.logits(prompt, use)[1]
    finally:
        fresh.close()


def test_000_P8_logits_after_a_switch_equal_a_cold_run(
    bench: Bench, gguf_base: Path, adapters: tuple[Path, Path]
) -> None:
    prompt = bench.weights.tokenize(QUESTIONS[1])
    first, second = (AdapterUse(path) for path in adapters)
    expected = {use: cold(gguf_base, prompt, use) for use in (first, second, None)}
    assert not np.array_equal(expected[first], expected[second])
    assert not np.array_equal(expected[first], expected[None])

    for use in (first, second, first, None, first, None, second):
        kept, logits = bench.logits(prompt, use)
        assert kept == 0, "K/V of one adapter served another"
        assert np.array_equal(logits, expected[use])


def test_a_reused_prefix_gives_the_logits_of_a_cold_run(
    bench: Bench, gguf_base: Path, adapters: tuple[Path, Path]
) -> None:
    use = AdapterUse(adapters[0])
    long = bench.weights.tokenize(QUESTIONS[1] * 2)
    other_end = [*long[: 2 * BLOCK + 5], *bench.weights.tokenize("And now something else entirely.")]
    bench.logits(long, use)
    bench.context.decode_token(7)

    kept, logits = bench.logits(other_end, use)

    assert kept == 2 * BLOCK
    assert np.array_equal(logits, cold(gguf_base, other_end, use))


def test_the_same_adapter_at_another_scale_is_another_adapter(
    bench: Bench, gguf_base: Path, adapters: tuple[Path, Path]
) -> None:
    prompt = bench.weights.tokenize(QUESTIONS[1])
    whole, half = AdapterUse(adapters[0]), AdapterUse(adapters[0], 0.5)
    _, at_whole = bench.logits(prompt, whole)
    kept, at_half = bench.logits(prompt, half)

    assert kept == 0
    assert not np.array_equal(at_whole, at_half)
    assert np.array_equal(at_half, cold(gguf_base, prompt, half))


def test_another_file_at_the_same_path_is_another_adapter(bench: Bench, adapters: tuple[Path, Path]) -> None:
    prompt = bench.weights.tokenize(QUESTIONS[1])
    path, other = adapters
    _, before = bench.logits(prompt, AdapterUse(path))
    other.rename(path)
    kept, after = bench.logits(prompt, AdapterUse(path))

    assert kept == 0
    assert not np.array_equal(before, after)


def test_adapters_that_were_not_used_for_long_are_forgotten(bench: Bench, tmp_path: Path) -> None:
    prompt = bench.weights.tokenize("Hello there.")
    paths = [tmp_path / f"{number}.gguf" for number in range(10)]
    for number, path in enumerate(paths):
        write_adapter(path, seed=number)
    expected = [bench.logits(prompt, AdapterUse(path))[1] for path in paths]

    for path, logits in zip(paths, expected, strict=True):
        assert np.array_equal(bench.logits(prompt, AdapterUse(path))[1], logits)


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
