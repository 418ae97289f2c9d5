"""torchtune's configs: components, interpolations, and the base by its folder."""

from typing import Any

import pytest

from peft_engine.config.foreign.translate import import_config
from tests.unit.config.foreign.reading import said, translated, values

WHOLE = """\
# tune download org/Model-8B --output-dir /tmp/Model-8B --ignore-patterns "original/*"
output_dir: /tmp/out

model:
  _component_: torchtune.models.llama3_1.lora_llama3_1_8b
  lora_attn_modules: ['q_proj', 'v_proj', 'output_proj']
  apply_lora_to_mlp: True
  apply_lora_to_output: False
  lora_rank: 8  # higher increases accuracy and memory
  lora_alpha: 16
  lora_dropout: 0.0

tokenizer:
  _component_: torchtune.models.llama3.llama3_tokenizer
  path: /tmp/Model-8B/tokenizer.model
  max_seq_len: 4096

checkpointer:
  _component_: torchtune.training.FullModelHFCheckpointer
  checkpoint_dir: /tmp/Model-8B/
  output_dir: ${output_dir}
  model_type: LLAMA3

dataset:
  _component_: torchtune.datasets.alpaca_cleaned_dataset
  packed: True
  split: train[:95%]
dataset_val:
  _component_: torchtune.datasets.alpaca_cleaned_dataset
  split: train[95%:]
run_val_every_n_steps: 25
batch_size_val: ${batch_size}
seed: null
batch_size: 2

optimizer:
  _component_: torch.optim.AdamW
  lr: 3e-4
lr_scheduler:
  _component_: torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup
  num_warmup_steps: 100
loss:
  _component_: torchtune.modules.loss.LinearCrossEntropyLoss
epochs: 2
max_steps_per_epoch: null
gradient_accumulation_steps: 8
clip_grad_norm: null
dtype: bf16
enable_activation_checkpointing: True
"""


def test_a_whole_config() -> None:
    imported = import_config("torchtune", WHOLE)
    assert imported.is_usable
    assert values(imported) == {
        "version": 1,
        "model.base": "org/Model-8B",
        "model.dtype": "bfloat16",
        "method.type": "lora",
        "method.r": 8,
        "method.alpha": 16,
        "method.dropout": 0,
        "method.target_modules": ["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj", "up_proj"],
        "datasets[0].path": "yahma/alpaca-cleaned",
        "datasets[0].format": "alpaca",
        "datasets[0].split": "train[:95%]",
        "training.num_epochs": 2,
        "training.batch_size": 2,
        "training.gradient_accumulation_steps": 8,
        "training.learning_rate": 3e-4,
        "training.lr_scheduler": "cosine",
        "training.warmup_steps": 100,
        "training.optimizer": "adamw",
        "training.weight_decay": 0.01,
        "training.max_grad_norm": 1_000_000,
        "training.precision": "bfloat16",
        "training.max_length": 4096,
        "training.packing": True,
        "training.completion_only_loss": False,
        "training.gradient_checkpointing": True,
        "evaluation.datasets[0].path": "yahma/alpaca-cleaned",
        "evaluation.datasets[0].format": "alpaca",
        "evaluation.datasets[0].split": "train[95%:]",
        "evaluation.every_steps": 25,
        "evaluation.batch_size": 2,
        "checkpoint.every_steps": 1 / 2,
        "checkpoint.keep": 1000,
    }


def test_the_folder_is_the_base_where_nothing_names_a_hub_id() -> None:
    text = WHOLE.partition("\n")[2]
    assert translated("torchtune", text)["model.base"] == "/tmp/Model-8B/"
    assert ("/tmp/Model-8B/") in [place for place, _ in said("torchtune", text, "IM04")]


def test_the_hub_s_own_cache_names_the_model() -> None:
    text = WHOLE.replace("/tmp/Model-8B/\n", "/cache/models--org--Tiny-1B/snapshots/abc\n")
    assert translated("torchtune", text)["model.base"] == "org/Tiny-1B"


def test_a_base_that_nothing_names_has_to_be_filled_in() -> None:
    imported = import_config("torchtune", WHOLE.replace("  checkpoint_dir: /tmp/Model-8B/\n", ""))
    assert not imported.is_usable
    assert values(imported)["model.base"] is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lora_llama3_1_8b", "qlora_llama3_1_8b", {"method.type": "qlora", "model.quantization": "nf4"}),
        ("lora_llama3_1_8b", "llama3_1_8b", {"method.type": "full", "method.r": None}),
        ("lora_rank: 8", "use_dora: true", {"method.type": "dora"}),
        ("apply_lora_to_output: False", "apply_lora_to_output: True", {"method.target_modules": None}),
        ("torch.optim.AdamW", "bitsandbytes.optim.PagedAdamW8bit", {"training.optimizer": "paged_adamw_8bit"}),
        ("clip_grad_norm: null", "clip_grad_norm: 1.0", {"training.max_grad_norm": 1.0}),
        ("max_steps_per_epoch: null", "max_steps_per_epoch: 50", {"training.max_steps": 100}),
        ("max_seq_len: 4096", "max_seq_len: null", {"training.max_length": 8192}),
        (
            "torchtune.datasets.alpaca_cleaned_dataset\n  packed: True",
            "torchtune.datasets.chat_dataset\n  source: json\n  data_files: chat.json\n  conversation_style: openai\n"
            "  conversation_column: turns",
            {
                "datasets[0].path": "chat.json",
                "datasets[0].format": "messages",
                "datasets[0].columns.messages": "turns",
                "training.completion_only_loss": True,
            },
        ),
        (
            "torchtune.datasets.alpaca_cleaned_dataset\n  packed: True",
            "torchtune.datasets.chat_dataset\n  source: json\n  data_files: [a.json, b.json]\n"
            "  conversation_style: sharegpt",
            {
                "datasets[0].path": "a.json",
                "datasets[1].path": "b.json",
                "datasets[1].format": "sharegpt",
                "datasets[1].split": "train[:95%]",
            },
        ),
        ("  lr: 3e-4\n", "", {"training.learning_rate": 1e-3}),
        (
            "torchtune.datasets.alpaca_cleaned_dataset\n  packed: True",
            "torchtune.datasets.instruct_dataset\n  source: org/qa\n  column_map: {input: q, output: a}",
            {
                "datasets[0].path": "org/qa",
                "datasets[0].format": "prompt-completion",
                "datasets[0].columns.prompt": "q",
                "datasets[0].columns.completion": "a",
            },
        ),
    ],
)
def test_a_value_keeps_its_meaning(old: str, new: str, expected: dict[str, Any]) -> None:
    found = translated("torchtune", WHOLE.replace(old, new, 1))
    if expected.get("method.target_modules", "") is None:
        assert found["method.target_modules"][-1] == "lm_head"
        return
    assert {path: found.get(path) for path in expected} == expected


@pytest.mark.parametrize("loss", ["torchtune.rlhf.loss.DPOLoss", "torchtune.rlhf.loss.PPOLoss"])
def test_another_objective_is_an_error(loss: str) -> None:
    assert not import_config(
        "torchtune", WHOLE.replace("torchtune.modules.loss.LinearCrossEntropyLoss", loss)
    ).is_usable
