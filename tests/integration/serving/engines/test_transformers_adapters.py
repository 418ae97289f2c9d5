"""Adapters of every method of training, against PEFT's own computation."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from peft_engine.inference.contract import AdapterUse, Tokens
from peft_engine.inference.transformers import TransformersEngine
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import answer, first_logprobs, request
from tests.integration.serving.engines.conftest import Forms, Kind
from tests.integration.serving.engines.tiny import CONTEXT, write_adapter

pytestmark = pytest.mark.model
PROMPT = list(range(700, 790))
METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "few layers": {"target_modules": ["q_proj", "down_proj"], "layers_to_transform": [1]},
    "ranks of their own": {"rank_pattern": {"q_proj": 7}, "alpha_pattern": {"v_proj": 3}},
    "whole modules": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "embeddings": {"target_modules": ["embed_tokens", "v_proj"]},
}


@pytest.fixture(scope="module")
def base(tiny_forms: dict[Kind, Forms]) -> Path:
    return tiny_forms["transformers"].base


@pytest.fixture(scope="module")
def engine(base: Path) -> Iterator[TransformersEngine]:
    engine = TransformersEngine(base, context_length=CONTEXT, threads=1)
    yield engine
    engine.unload()


def by_peft(base: Path, adapter: Path | None, scale: float = 1) -> torch.Tensor:
    """Return the log-probabilities after the prompt as PEFT computes them from a fresh load."""
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
        for module in model.modules():
            if hasattr(module, "set_scale"):
                module.set_scale("default", scale)
    model.eval()
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=torch.tensor([PROMPT])).logits[0, -1]
    return logits.log_softmax(0)


def by_engine(engine: TransformersEngine, *uses: AdapterUse | Path) -> torch.Tensor:
    found = first_logprobs(engine, PROMPT, *uses, top=49152)
    return torch.tensor([found[token] for token in range(49152)], dtype=torch.float32)


@pytest.mark.parametrize("method", METHODS)
def test_I2_each_method_computes_what_PEFT_does(
    engine: TransformersEngine, base: Path, tmp_path: Path, method: str
) -> None:
    bare = by_engine(engine)
    adapter = write_adapter(base, tmp_path / "adapter", seed=5, strength=0.05, **METHODS[method])
    found = by_engine(engine, adapter)

    assert torch.allclose(found, by_peft(base, adapter), atol=2e-3)
    assert not torch.allclose(found, bare, atol=0.1)
    assert torch.equal(by_engine(engine), bare)
    assert torch.equal(by_engine(engine, adapter), found)


@pytest.mark.parametrize("method", ["lora", "rslora", "dora"])
def test_a_scale_is_that_of_PEFT(engine: TransformersEngine, base: Path, tmp_path: Path, method: str) -> None:
    adapter = write_adapter(base, tmp_path / "adapter", seed=6, strength=0.05, **METHODS[method])
    for scale in (0.5, 2.0, -1.0, 0.5):
        found = by_engine(engine, AdapterUse(adapter, scale))
        assert torch.allclose(found, by_peft(base, adapter, scale), atol=5e-3)


def test_the_base_is_that_of_the_library(engine: TransformersEngine, base: Path) -> None:
    assert torch.allclose(by_engine(engine), by_peft(base, None), atol=2e-3)


def test_adapters_of_unlike_methods_answer_side_by_side(engine: TransformersEngine, base: Path, tmp_path: Path) -> None:
    adapters = [
        write_adapter(base, tmp_path / name.replace(" ", "-"), seed=7, strength=0.05, **METHODS[name])
        for name in ("lora", "dora", "whole modules")
    ]
    requests = [request(Tokens(tuple(PROMPT)), *uses, top_logprobs=1) for uses in ([], *([one] for one in adapters))]
    together = answer(engine, *requests)

    assert [one.logprobs for one in together] == [answer(engine, one)[0].logprobs for one in requests]


@pytest.mark.parametrize(
    ("method", "scale", "beside"),
    [("dora", 1.0, True), ("whole modules", 0.5, False), ("whole modules", 1.0, True)],
)
def test_what_cannot_be_combined_exactly_is_refused(
    engine: TransformersEngine, base: Path, tmp_path: Path, method: str, scale: float, beside: bool
) -> None:
    adapter = write_adapter(base, tmp_path / "adapter", seed=8, **METHODS[method])
    other = write_adapter(base, tmp_path / "other", seed=9)
    uses = [AdapterUse(adapter, scale), *([AdapterUse(other)] if beside else [])]
    with pytest.raises(WorkbenchError) as refused:
        engine.open(request("Hello.", *uses))
    assert refused.value.code == "not-supported"


@pytest.mark.parametrize(
    "change",
    [
        {"init_lora_weights": "pissa"},
        {"bias": "all"},
        {"layer_replication": [[0, 2]]},
        {"peft_type": "IA3"},
        {"megatron_config": {"a": 1}, "megatron_core": "peftw_planted"},
        {"use_qalora": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_settings_that_would_change_the_base_are_refused(
    engine: TransformersEngine, base: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    bare = by_engine(engine)
    adapter = write_adapter(base, tmp_path / "adapter", seed=5)
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    with pytest.raises(WorkbenchError) as refused:
        engine.open(request("Hello.", adapter))

    assert refused.value.code == "not-supported"
    assert next(iter(change)) in refused.value.message
    assert torch.equal(by_engine(engine), bare)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"r": "many"}', '{"target_modules": 5}'])
def test_a_damaged_config_is_refused(engine: TransformersEngine, base: Path, tmp_path: Path, content: str) -> None:
    adapter = write_adapter(base, tmp_path / "adapter", seed=5)
    (adapter / "adapter_config.json").write_text(content)
    bare = by_engine(engine)
    with pytest.raises(WorkbenchError) as refused:
        engine.open(request("Hello.", adapter))

    assert refused.value.code == "model-unreadable"
    assert torch.equal(by_engine(engine), bare)


def test_an_adapter_brings_its_chat_template(engine: TransformersEngine, base: Path, tmp_path: Path) -> None:
    from tests.integration.serving.engines.asking import said

    adapter = write_adapter(base, tmp_path / "adapter", seed=5)
    (adapter / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")

    spoken = answer(engine, request(said("Hello."), adapter))[0]
    assert spoken.text == answer(engine, request("Hello.", adapter))[0].text
    assert spoken.prompt_tokens < answer(engine, request(said("Hello.")))[0].prompt_tokens
