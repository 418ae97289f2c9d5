"""A base of which only config.json is there: what is known of it, and what a dry run says. The configs are real."""

import json
from pathlib import Path

import pytest

from peft_daemon.language.trained import trainable
from peft_daemon.runs.launch import ConfigRefused
from peft_daemon.runs.plan import plan
from peft_engine.models import resolve_base
from peft_engine.models.describe import describe_model

CONFIGS = Path(__file__).parent / "configs"
LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}

MODELS = [
    # name, layers, trained by rank 16 in all-linear, as PEFT counts it on the whole skeleton
    ("llama-3-8b", 32, 41_943_040),
    ("mistral-7b-v0.3", 32, 41_943_040),
    ("qwen2.5-7b", 28, 40_370_176),
    ("gemma-2-9b", 42, 54_018_048),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    return tmp_path


def with_config(folder: Path, name: str) -> Path:
    (folder / "base" / "config.json").write_bytes((CONFIGS / f"{name}.json").read_bytes())
    return folder / "base"


@pytest.mark.parametrize(("name", "layers", "trained"), MODELS)
def test_a_config_alone_tells_the_modules_and_what_is_trained(
    folder: Path, name: str, layers: int, trained: int
) -> None:
    fact = describe_model(resolve_base(str(with_config(folder, name))))
    assert fact is not None
    assert fact.linear == LAYERS
    assert fact.shapes is not None
    assert len(fact.shapes) == 7 * layers + 2
    # How many numbers there are in all, norms and biases included, is not told from here.
    assert fact.parameters is None
    count = trainable(fact, method="lora", rank=16, targets="all-linear", saved=[])
    assert count is not None
    assert (count.value, count.formula) == (trained, f"rank 16 in {7 * layers} layers")


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "qwen3_moe"},  # its experts are no plain matrices
        {"hidden_size": None},
        {"num_hidden_layers": "32"},
        {"num_attention_heads": 0},
    ],
)
def test_nothing_is_guessed_of_other_models(folder: Path, change: dict[str, object]) -> None:
    base = with_config(folder, "llama-3-8b")
    config = json.loads((base / "config.json").read_bytes()) | change
    (base / "config.json").write_text(json.dumps(config))
    fact = describe_model(resolve_base(str(base)))
    assert fact is not None
    assert fact.shapes is None


def written(folder: Path, targets: str) -> Path:
    # Texts, because a conversation needs a chat template, of which a config says nothing.
    (folder / "train.jsonl").write_text("".join(json.dumps({"text": f"text {n}"}) + "\n" for n in range(8)))
    path = folder / "run.peft.yaml"
    path.write_text(
        "version: 1\nmodel:\n  base: ./base\n"
        f"method:\n  r: 16\n  alpha: 32\n  target_modules: {targets}\n"
        "datasets:\n  - path: train.jsonl\n"
    )
    return path


def test_a_dry_run_counts_the_parameters_of_a_base_without_weights(folder: Path) -> None:
    with_config(folder, "qwen2.5-7b")
    figures = {figure.name: figure for figure in plan(written(folder, "all-linear")).figures.figures}
    assert figures["trainable_parameters"].value == 40_370_176


def test_a_dry_run_refuses_targets_that_a_base_without_weights_would_not_have(folder: Path) -> None:
    with_config(folder, "llama-3-8b")
    with pytest.raises(ConfigRefused) as caught:
        plan(written(folder, "[q_proj, query_key_value]"))
    assert "PW311" in [finding.code for finding in caught.value.checked.findings]
