"""Oumi's configs: nested sections, its own defaults, and its datasets by their registered names."""

from typing import Any

import pytest

from peft_engine.config.foreign.translate import import_config
from tests.unit.config.foreign.reading import said, translated, values

WHOLE = """\
# Adapter for the desk.

model:
  model_name: "org/model"
  model_max_length: 2048
  torch_dtype_str: "bfloat16"
  attn_implementation: "sdpa"
data:
  train:
    datasets:
      - dataset_name: "PromptResponseDataset"
        split: "train"
        sample_count: 500
        dataset_kwargs: {hf_dataset_path: "org/qa", prompt_column: "q", response_column: "a"}
      - dataset_name: "text_sft_jsonl"
        dataset_path: "data/chat.jsonl"
    pack: True
    collator_name: "text_completions_only_with_padding"
training:
  trainer_type: TRL_SFT
  use_peft: True
  save_steps: 200
  num_train_epochs: 1
  per_device_train_batch_size: 2
  gradient_accumulation_steps: 8
  enable_gradient_checkpointing: True
  optimizer: "adamw_torch_fused"
  learning_rate: 3e-4
  lr_scheduler_type: "cosine"
  warmup_ratio: 0.1
  max_grad_norm: 0.0
  logging_steps: 10
  run_name: "desk adapter"
  output_dir: "output/desk"
peft:
  q_lora: True
  lora_r: 16
  lora_alpha: 32
  lora_target_modules: [q_proj, k_proj]
"""


def test_a_whole_config() -> None:
    imported = import_config("oumi", WHOLE)
    assert imported.is_usable
    assert imported.config.startswith("# Adapter for the desk.\n")
    assert values(imported) == {
        "version": 1,
        "name": "desk-adapter",
        "model.base": "org/model",
        "model.dtype": "bfloat16",
        "model.quantization": "fp4",
        "model.double_quantization": False,
        "model.attention": "sdpa",
        "method.type": "qlora",
        "method.r": 16,
        "method.alpha": 32,
        "method.target_modules": ["q_proj", "k_proj"],
        "datasets[0].path": "org/qa",
        "datasets[0].format": "prompt-completion",
        "datasets[0].split": "train[:500]",
        "datasets[0].columns.prompt": "q",
        "datasets[0].columns.completion": "a",
        "datasets[1].path": "data/chat.jsonl",
        "training.num_epochs": 1,
        "training.batch_size": 2,
        "training.gradient_accumulation_steps": 8,
        "training.learning_rate": 3e-4,
        "training.lr_scheduler": "cosine",
        "training.warmup_ratio": 0.1,
        "training.optimizer": "adamw",
        "training.max_grad_norm": 1_000_000,
        "training.precision": "bfloat16",
        "training.max_length": 2048,
        "training.packing": True,
        "training.completion_only_loss": True,
        "training.gradient_checkpointing": True,
        "training.logging_steps": 10,
        "checkpoint.every_steps": 200,
        "checkpoint.keep": 1000,
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("use_peft: True", "use_peft: False", {"method.type": "full", "method.r": None, "model.quantization": None}),
        ("  q_lora: True", "  q_lora: False", {"method.type": "lora", "model.quantization": None}),
        ("  q_lora: True", "  q_lora: True\n  bnb_4bit_quant_type: nf4", {"model.quantization": "nf4"}),
        ("save_steps: 200", "save_steps: 0", {"checkpoint.every_steps": 0.9999}),
        ("save_steps: 200", "save_epoch: True", {"checkpoint.every_steps": 500}),
        ("save_steps: 200", "save_epoch: True\n  save_steps: 40", {"checkpoint.every_steps": 40}),
        ("save_steps: 200", "save_epoch: True\n  save_steps: 0", {"checkpoint.every_steps": 0.9999}),
        ("max_grad_norm: 0.0", "max_grad_norm: null", {"training.max_grad_norm": 1_000_000}),
        ("  max_grad_norm: 0.0\n", "", {"training.max_grad_norm": None}),
        ("  model_max_length: 2048\n", "", {"training.max_length": None}),
        ("  model_max_length: 2048\n", "  model_max_length: null\n", {"training.max_length": None}),
        ('    collator_name: "text_completions_only_with_padding"\n', "", {"training.completion_only_loss": False}),
        ("  lora_alpha: 32\n", "", {"method.alpha": 8}),
        ("2048", "${peft.lora_r}", {"training.max_length": 16}),
    ],
)
def test_a_value_keeps_its_meaning(old: str, new: str, expected: dict[str, Any]) -> None:
    found = translated("oumi", WHOLE.replace(old, new, 1))
    assert {path: found.get(path) for path in expected} == expected


@pytest.mark.parametrize("trainer", ["  trainer_type: HF\n", "  trainer_type: OUMI\n", ""])
def test_a_trainer_that_cuts_nothing_is_said(trainer: str) -> None:
    text = WHOLE.replace("  model_max_length: 2048\n", "").replace("  trainer_type: TRL_SFT\n", trainer)
    assert translated("oumi", text)["training.max_length"] == 8192
    assert any("cuts no example" in message for _, message in said("oumi", text, "IM04"))


def test_an_epoch_s_checkpoint_that_gives_way_to_steps_is_said() -> None:
    text = WHOLE.replace("save_steps: 200", "save_epoch: True")
    assert [place for place, _ in said("oumi", text, "IM05")] == ["True"]


@pytest.mark.parametrize("written", ["peft:\n", "  validation:\n"])
def test_an_empty_section_is_not_called_unknown(written: str) -> None:
    text = WHOLE.partition("\npeft:")[0].replace("training:\n", written + "training:\n", 1) + "\n"
    assert translated("oumi", text)["model.base"] == "org/model"
    assert said("oumi", text, "IM03") == []


@pytest.mark.parametrize("trainer", ["TRL_DPO", "TRL_GRPO", "VERL_GRPO"])
def test_another_objective_is_an_error(trainer: str) -> None:
    assert not import_config("oumi", WHOLE.replace("TRL_SFT", trainer)).is_usable
