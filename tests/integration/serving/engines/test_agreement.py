"""The same weights give the same answers, whichever engine has them and in whichever form."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest

from peft_engine.inference.contract import Engine, Sampling
from tests.integration.serving.engines.asking import LONG, Answer, answer, first_logprobs, request, said
from tests.integration.serving.engines.conftest import ADAPTED, Forms, Kind

pytestmark = pytest.mark.model

TOLERANCE = 0.1
"""Between log-probabilities of two engines, which spread over 20 here. llama.cpp keeps K/V and what it multiplies them
by in float16; with K/V rounded so, transformers agrees with it to 1e-5 after one token."""

EXACT = 1e-3
"""Between log-probabilities of two engines that compute in float32 throughout."""

Loaded = dict[Kind, tuple[Forms, Engine]]


@pytest.fixture(scope="module")
def loaded(tiny_forms: dict[Kind, Forms]) -> Iterator[Loaded]:
    engines: Loaded = {kind: (forms, forms.load()) for kind, forms in tiny_forms.items()}
    yield engines
    for _, engine in engines.values():
        engine.unload()


@pytest.mark.parametrize("adapter", [None, "first", "second"])
@pytest.mark.parametrize("length", [1, 30, 64, 200])
def test_E24_the_first_step_is_the_same_in_every_form(loaded: Loaded, adapter: str | None, length: int) -> None:
    found = []
    for kind, (forms, engine) in loaded.items():
        if adapter is not None and kind not in ADAPTED:
            continue
        uses = [] if adapter is None else [getattr(forms, adapter)]
        found.append(first_logprobs(engine, range(3000, 3000 + length), *uses, top=49152))

    for one, other in combinations(found, 2):
        assert one.keys() == other.keys()
        differences = [abs(one[token] - other[token]) for token in one]
        assert max(differences) < TOLERANCE
        assert np.mean(differences) < TOLERANCE / 10


@pytest.mark.parametrize(
    "kind", [pytest.param("onnx", id="E17_ONNX_Runtime_does"), pytest.param("mlx", id="E18_MLX_does")]
)
def test_what_torch_computes(loaded: Loaded, kind: Kind) -> None:
    for length in (1, 64, 200):
        one, other = (
            first_logprobs(loaded[which][1], range(3000, 3000 + length), top=49152) for which in (kind, "transformers")
        )
        assert max(abs(one[token] - other[token]) for token in other) < EXACT


def test_E24_results_have_the_same_shape(loaded: Loaded) -> None:
    found = [
        answer(engine, request(said("Tell me."), top_logprobs=2, stop=("zzz",)))[0] for _, engine in loaded.values()
    ]

    for other in found[1:]:
        _require_same_shape(found[0], other)


def _require_same_shape(one: Answer, other: Answer) -> None:
    for field in ("text", "finish_reason", "prompt_tokens", "cached_tokens", "completion_tokens", "ids"):
        assert getattr(one, field) == getattr(other, field)
    assert [token.bytes for token in one.logprobs] == [token.bytes for token in other.logprobs]
    assert [len(token.top) for token in one.logprobs] == [len(token.top) for token in other.logprobs]


def test_E24_seeds_draw_the_same_in_every_form(loaded: Loaded) -> None:
    def drawn(engine: Engine, seed: int) -> str:
        sampling = Sampling(0.8, 0.9, seed, top_k=40, frequency_penalty=0.5, repetition_penalty=1.1)
        return answer(engine, request("Tell me.", sampling=sampling, max_tokens=3))[0].text

    found = [[drawn(engine, seed) for seed in range(20)] for _, engine in loaded.values()]

    # A number that falls between two tokens' shares of probability, which differ a little, may draw either.
    for one, other in combinations(found, 2):
        assert sum(mine == theirs for mine, theirs in zip(one, other, strict=True)) >= 15
    assert len(set(found[0])) > 1


def test_E31_the_tokenizers_agree(loaded: Loaded) -> None:
    texts = ["Hello world", " two  spaces", "línea\n\n\ttab", "日本語 🦜", "a<|im_end|>b", "x = 1_000;", LONG]
    found = [[tuple(engine.tokenize(text)) for text in texts] for _, engine in loaded.values()]

    assert all(one == found[0] for one in found)


def test_E24_embeddings_are_the_same_points(loaded: Loaded) -> None:
    able = [engine for _, engine in loaded.values() if "embeddings" in engine.capabilities]
    found = [engine.embed(["The sea is wide.", LONG], ()) for engine in able]

    assert len(found) == 3
    for first, *others in zip(*found, strict=True):
        for other in others:
            assert np.allclose(first.vector, other.vector, atol=1e-3)
