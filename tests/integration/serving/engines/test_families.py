"""What a base can do depends on its family: gaps, numbers of sixteen bits, a window; in every form alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from peft_engine.inference.contract import Engine, Infill, Text
from tests.integration.serving.engines.asking import answer, first_logprobs, request

pytestmark = pytest.mark.model

TOLERANCE = 0.1
"""Between log-probabilities of two engines, as `test_agreement`."""

MARKS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


@contextmanager
def loaded(folder: Path, kind: str) -> Iterator[dict[str, Engine]]:
    """Load a model in both forms."""
    from peft_engine.export.model_gguf import write_model_gguf
    from peft_engine.inference.llama import LlamaEngine
    from peft_engine.inference.transformers import TransformersEngine

    file = folder.with_suffix(".gguf")
    write_model_gguf(folder, file, kind)
    engines: dict[str, Engine] = {
        "llama": LlamaEngine(file, context_length=256, threads=1),
        "transformers": TransformersEngine(folder, context_length=256, threads=1),
    }
    try:
        yield engines
    finally:
        for engine in engines.values():
            engine.unload()


def written(folder: Path, model_type: str = "llama", **settings: Any) -> Path:
    from tests.integration.models.small import write_small_model

    return write_small_model(folder, model_type, **settings)


def with_marks(folder: Path) -> Path:
    """Write a model whose vocabulary has the tokens of a gap."""
    from transformers import AutoTokenizer

    written(folder, vocab_size=410)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": list(MARKS)})
    assert len(tokenizer) <= 410
    tokenizer.save_pretrained(folder)
    return folder


def test_E24_a_gap_is_asked_for_by_the_tokens_of_its_family_in_every_form(tmp_path: Path) -> None:
    with loaded(with_marks(tmp_path / "code"), "f32") as engines:
        found = {}
        for form, engine in engines.items():
            assert "infill" in engine.capabilities
            asked = Infill("def add(a, b):\n    return ", "\n\nprint(add(1, 2))")
            filled = answer(engine, request(asked, top_logprobs=1))[0]
            prefix, suffix, middle = MARKS
            by_hand = Text(f"{prefix}{asked.prefix}{suffix}{asked.suffix}{middle}")
            assert filled.ids == answer(engine, request(by_hand, top_logprobs=1))[0].ids
            found[form] = filled.prompt_tokens, filled.ids, filled.finish_reason
        assert found["llama"] == found["transformers"]


def test_E24_what_a_text_says_of_a_gap_is_no_mark_of_one(tmp_path: Path) -> None:
    with loaded(with_marks(tmp_path / "code"), "f32") as engines:
        for engine in engines.values():
            plain = answer(engine, request(Infill("a", "b"), max_tokens=1))[0].prompt_tokens
            named = answer(engine, request(Infill(f"a{MARKS[2]}", "b"), max_tokens=1))[0].prompt_tokens
            assert named > plain + 1


@pytest.mark.parametrize("model_type", ["llama", "mistral"])
def test_E24_weights_in_bfloat16_expect_the_same_first_token_in_every_form(tmp_path: Path, model_type: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    settings = {"sliding_window": None} if model_type == "mistral" else {}
    folder = written(tmp_path / "half", model_type, **settings)
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    with loaded(folder, "bf16") as engines:
        prompt = range(10, 90)
        found = [first_logprobs(engine, prompt, top=300) for engine in engines.values()]

    common = found[0].keys() & found[1].keys()
    assert len(common) > 290
    # Sixteen bits keep three digits, and each engine rounds elsewhere.
    assert max(abs(found[0][token] - found[1][token]) for token in common) < 5 * TOLERANCE
