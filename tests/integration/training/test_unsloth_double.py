"""Row F1: what is asked of Unsloth, and that nobody says it trained where it did not, by a stand-in that takes notes.

It needs no environment of its own, and it takes the path for a GPU, which no machine here can run. That the real
Unsloth has what it is asked for is what `test_unsloth_call.py` sees to; that it trains, `test_backends.py`.
"""

import os
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from peft_engine.training.data.batch import collate
from peft_engine.training.data.tokens import TokenisedExample
from peft_engine.training.fused.loss import summed_loss
from tests.integration.training.workshop import Workshop, events, finished, of
from tests.unit.backends.conftest import install_unsloth

BACKEND = "peft_engine.training.backends.unsloth_backend"
LORA = {"type": "lora", "r": 4, "alpha": 8.0, "dropout": 0.1}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed distribution of Unsloth that has no code yet."""
    for name in ("UNSLOTH_COMPILE_LOCATION", "UNSLOTH_DISABLE_STATISTICS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.delitem(sys.modules, BACKEND, raising=False)
    install_unsloth(tmp_path, monkeypatch)
    return tmp_path / "site"


@pytest.fixture
def asked(installed: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the stand-in was asked for, which loads and adapts a model as the libraries behind Unsloth do."""
    notes: list[tuple[str, dict[str, Any]]] = []

    class FastLanguageModel:
        @staticmethod
        def from_pretrained(folder: str, **keywords: Any) -> tuple[Any, None]:
            notes.append(("from_pretrained", {"model_name": folder, **keywords}))
            attention = keywords["attn_implementation"]
            return (
                AutoModelForCausalLM.from_pretrained(folder, dtype=keywords["dtype"], attn_implementation=attention),
                None,
            )

        @staticmethod
        def get_peft_model(model: Any, **keywords: Any) -> Any:
            notes.append(("get_peft_model", keywords))
            kept = ("r", "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora")
            return get_peft_model(model, LoraConfig(**{name: keywords[name] for name in kept}, task_type="CAUSAL_LM"))

    double: Any = ModuleType("unsloth")
    double.__version__ = "2026.10.9"
    double.is_bfloat16_supported = lambda: True
    double.FastLanguageModel = FastLanguageModel
    monkeypatch.setitem(sys.modules, "unsloth", double)
    return notes


def test_F1_unsloth_is_asked_for_what_the_config_says_and_named_as_what_trained(
    workshop: Workshop, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    run = workshop.make(
        method={**LORA, "type": "rslora", "target_modules": ["q_proj", "v_proj"]},
        training={"max_steps": 2, "max_length": 96, "gradient_checkpointing": True, "seed": 5},
        compute={"backend": "unsloth", "device": "cpu"},
    )
    assert finished(run).type == "completed"
    (plan,) = of(run, "plan")
    assert plan.backend == "unsloth 2026.10.9, as the config asks"
    (first, loaded), (second, adapted) = asked
    assert (first, second) == ("from_pretrained", "get_peft_model")
    assert loaded == {
        "model_name": workshop.base,
        "max_seq_length": 96,
        "dtype": torch.float32,
        "load_in_4bit": False,
        "full_finetuning": False,
        "trust_remote_code": False,
        "use_gradient_checkpointing": "unsloth",
        "attn_implementation": "peft_workbench_segmented",
    }
    assert adapted == {
        "r": 4,
        "target_modules": ["q_proj", "v_proj"],
        "lora_alpha": 8,
        "lora_dropout": 0.1,
        "bias": "none",
        "use_gradient_checkpointing": "unsloth",
        "random_state": 5,
        "max_seq_length": 96,
        "use_rslora": True,
    }


def test_F1_where_unsloth_is_not_taken_it_is_not_even_imported(
    workshop: Workshop, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    run = workshop.make(method=LORA, training={"max_steps": 1})
    assert finished(run).type == "completed"
    (plan,) = of(run, "plan")
    assert plan.backend.startswith("transformers ")
    assert asked == []
    assert BACKEND not in sys.modules


@pytest.mark.parametrize("error", ["NotImplementedError", "ImportError", "RuntimeError"])
def test_F1_where_unsloth_does_not_start_the_run_fails_and_nothing_says_that_it_trained(
    workshop: Workshop, installed: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.delitem(sys.modules, "unsloth", raising=False)
    (installed / "unsloth").mkdir()
    (installed / "unsloth/__init__.py").write_text(f"raise {error}('Unsloth needs a GPU.')\n")
    monkeypatch.syspath_prepend(str(installed))
    run = workshop.make(method=LORA, compute={"backend": "unsloth"})
    end = finished(run)
    assert (end.type, end.error.code) == ("failed", "not-supported")
    assert "Unsloth needs a GPU." in end.error.message
    assert [event.type for event in events(run) if event.type in ("plan", "metric")] == []
    assert not run.adapter.exists()


def test_F1_on_a_gpu_the_borders_and_labels_come_to_the_loss_of_each_example_alone(
    asked: list[tuple[str, dict[str, Any]]], tiny_base: Path
) -> None:
    """By a model that reads them as Unsloth's own forward pass for GPUs does."""
    from peft_engine.training.backends.unsloth_backend import _on_gpu

    plain = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32).eval()
    chance = torch.Generator().manual_seed(3)
    examples = []
    for length, prompt in ((9, 4), (5, 1), (12, 11)):
        ids = torch.randint(5, 200, (length,), generator=chance)
        examples.append(TokenisedExample(ids.numpy().astype("uint32"), (torch.arange(length) >= prompt).numpy()))
    batch = collate([(examples[0], examples[1]), (examples[2],)])

    def forward(**given: Any) -> Any:
        assert given.keys() == {
            *("input_ids", "position_ids", "packed_seq_lengths", "labels", "num_items_in_batch", "use_cache")
        }
        assert given["packed_seq_lengths"].tolist() == [9, 5, 12]
        total = torch.zeros(())
        borders = [0, *given["packed_seq_lengths"].cumsum(0).tolist()]
        for start, end in pairwise(borders):
            logits = plain(given["input_ids"][:, start:end]).logits[0]
            assert given["position_ids"][0, start:end].tolist() == list(range(end - start))
            # Models shift the labels by themselves, and never over a border.
            total += cross_entropy(logits[:-1], given["labels"][0, start + 1 : end], reduction="sum")
        return SimpleNamespace(loss=total / given["num_items_in_batch"])

    with torch.no_grad():
        alone = sum(summed_loss(plain, collate([(example,)])) for example in examples)
        torch.testing.assert_close(_on_gpu(forward, batch), alone)
