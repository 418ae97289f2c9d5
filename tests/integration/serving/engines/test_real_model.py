"""The real model, from the same weights in float32, as each engine has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from peft_engine.inference.contract import Engine
from tests.integration.serving.engines.asking import answer, first_logprobs, request, said
from tests.integration.serving.engines.conftest import Kind

pytestmark = pytest.mark.model

TOLERANCE = 0.1
"""Between log-probabilities of two engines: llama.cpp keeps K/V in float16."""

CONTEXT = 512


@pytest.fixture(scope="module")
def both(model_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, Engine]]:
    from peft_engine.export.model_gguf import write_model_gguf
    from peft_engine.inference.llama import LlamaEngine
    from peft_engine.inference.transformers import TransformersEngine

    folder = model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct"
    file = tmp_path_factory.mktemp("real") / "real.gguf"
    write_model_gguf(folder, file, "f32")
    engines: dict[Kind, Engine] = {
        "llama": LlamaEngine(file, context_length=CONTEXT, threads=1),
        "transformers": TransformersEngine(folder, context_length=CONTEXT, threads=1),
    }
    yield engines
    for engine in engines.values():
        engine.unload()
    file.unlink()


@pytest.mark.parametrize(
    "text",
    ["The capital of France is", "def add(a, b):\n    return", "Once upon a time there was a small owl. " * 8],
    ids=["sentence", "code", "long"],
)
def test_E24_the_real_model_expects_the_same_first_token_in_every_form(both: dict[Kind, Engine], text: str) -> None:
    prompts = {kind: tuple(engine.tokenize(text)) for kind, engine in both.items()}
    assert prompts["llama"] == prompts["transformers"]
    found = [first_logprobs(engine, prompts[kind], top=49152) for kind, engine in both.items()]

    assert max(found[0], key=found[0].__getitem__) == max(found[1], key=found[1].__getitem__)
    # What is hardly possible is the difference of large numbers, and is never chosen.
    likely = [token for token, logprob in found[1].items() if logprob > -12]
    assert max(abs(found[0][token] - found[1][token]) for token in likely) < TOLERANCE


def test_E24_the_real_model_gives_the_same_events_and_fields_in_every_form(both: dict[Kind, Engine]) -> None:
    asked = request(said("What is the capital of France?"), max_tokens=8, top_logprobs=2)
    one, other = (answer(engine, asked)[0] for engine in both.values())

    assert "Paris" in one.text
    for field in ("text", "pieces", "ids", "finish_reason", "prompt_tokens", "cached_tokens", "completion_tokens"):
        assert getattr(one, field) == getattr(other, field), field
    assert [token.bytes for token in one.logprobs] == [token.bytes for token in other.logprobs]
    assert [[top.id for top in token.top[:1]] for token in one.logprobs] == [
        [top.id for top in token.top[:1]] for token in other.logprobs
    ]
