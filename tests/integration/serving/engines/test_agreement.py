"""The same weights give the same answers, whichever engine has them and in whichever form."""

from collections.abc import Iterator

import numpy as np
import pytest

from peft_engine.inference.contract import Engine, Sampling
from tests.integration.serving.engines.asking import LONG, answer, first_logprobs, request, said
from tests.integration.serving.engines.conftest import Forms, Kind

pytestmark = pytest.mark.model

TOLERANCE = 0.1
"""Between log-probabilities of two engines, which spread over 20 here. llama.cpp keeps K/V and what it multiplies them
by in float16; with K/V rounded so, transformers agrees with it to 1e-5 after one token."""

Both = dict[Kind, tuple[Forms, Engine]]


@pytest.fixture(scope="module")
def both(tiny_forms: dict[Kind, Forms]) -> Iterator[Both]:
    engines: Both = {kind: (forms, forms.load()) for kind, forms in tiny_forms.items()}
    yield engines
    for _, engine in engines.values():
        engine.unload()


@pytest.mark.parametrize("adapter", [None, "first", "second"])
@pytest.mark.parametrize("length", [1, 30, 64, 200])
def test_E24_the_first_step_is_the_same_in_every_form(both: Both, adapter: str | None, length: int) -> None:
    found = []
    for forms, engine in both.values():
        uses = [] if adapter is None else [getattr(forms, adapter)]
        found.append(first_logprobs(engine, range(3000, 3000 + length), *uses, top=49152))

    assert found[0].keys() == found[1].keys()
    differences = [abs(found[0][token] - found[1][token]) for token in found[0]]
    assert max(differences) < TOLERANCE
    assert np.mean(differences) < TOLERANCE / 10


def test_E24_results_have_the_same_shape(both: Both) -> None:
    found = [answer(engine, request(said("Tell me."), top_logprobs=2, stop=("zzz",)))[0] for _, engine in both.values()]

    for field in ("text", "finish_reason", "prompt_tokens", "cached_tokens", "completion_tokens", "ids"):
        assert getattr(found[0], field) == getattr(found[1], field)
    assert [token.bytes for token in found[0].logprobs] == [token.bytes for token in found[1].logprobs]
    assert [len(token.top) for token in found[0].logprobs] == [len(token.top) for token in found[1].logprobs]


def test_E24_a_seed_draws_the_same_in_every_form(both: Both) -> None:
    sampling = Sampling(0.8, 0.9, 11, top_k=40, frequency_penalty=0.5, repetition_penalty=1.1)
    found = [
        answer(engine, request("Tell me.", sampling=sampling, max_tokens=8))[0].text for _, engine in both.values()
    ]

    assert found[0] == found[1]


def test_E31_the_tokenizers_agree(both: Both) -> None:
    texts = ["Hello world", " two  spaces", "línea\n\n\ttab", "日本語 🦜", "a<|im_end|>b", "x = 1_000;", LONG]
    found = [[point.tokens for point in engine.embed(texts, ())] for _, engine in both.values()]

    assert found[0] == found[1]


def test_E24_embeddings_are_the_same_points(both: Both) -> None:
    found = [engine.embed(["The sea is wide.", LONG], ()) for _, engine in both.values()]

    for one, other in zip(*found, strict=True):
        assert np.allclose(one.vector, other.vector, atol=1e-3)
