"""Axolotl's configs: what each key and each combination of keys becomes."""

from typing import Any

import pytest

from peft_engine.config.foreign.translate import import_config
from tests.unit.config.foreign.reading import said, translated, values

BASE = "base_model: org/model\ndatasets:\n  - path: org/data\n    type: alpaca\n"

WHOLE = """\
# Support desk, second try.

base_model: org/model
load_in_4bit: true   # fits the small card
adapter: qlora
lora_r: 32
lora_alpha: 16
lora_dropout: 0.05
lora_target_linear: true
lora_modules_to_save: [embed_tokens, lm_head]

datasets:
  # exported in May
  - path: data/chat.jsonl
    type: chat_template
    field_messages: conversations
    message_property_mappings:
      role: from
      content: value
val_set_size: 0.05

sequence_len: 4096
sample_packing: true
wandb_project:
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 4
optimizer: adamw_bnb_8bit
lr_scheduler: cosine
learning_rate: 0.0002
bf16: auto
gradient_checkpointing: true
logging_steps: 1
attn_implementation: flash_attention_2
warmup_ratio: 0.1
evals_per_epoch: 4
saves_per_epoch: 1
weight_decay: 0.01
max_grad_norm: 0.3
seed: 7
"""


def test_a_whole_config_keeps_its_meaning_and_its_comments() -> None:
    imported = import_config("axolotl", WHOLE)
    assert values(imported) == {
        "version": 1,
        "model.base": "org/model",
        "model.dtype": "auto",
        "model.quantization": "nf4",
        "model.attention": "flash_attention_2",
        "method.type": "qlora",
        "method.r": 32,
        "method.alpha": 16,
        "method.dropout": 0.05,
        "method.target_modules": "all-linear",
        "method.modules_to_save": ["embed_tokens", "lm_head"],
        "datasets[0].path": "data/chat.jsonl",
        "datasets[0].format": "sharegpt",
        "training.num_epochs": 4,
        "training.batch_size": 2,
        "training.gradient_accumulation_steps": 4,
        "training.learning_rate": 0.0002,
        "training.lr_scheduler": "cosine",
        "training.warmup_ratio": 0.1,
        "training.optimizer": "adamw_8bit",
        "training.weight_decay": 0.01,
        "training.max_grad_norm": 0.3,
        "training.precision": "auto",
        "training.max_length": 4096,
        "training.packing": True,
        "training.gradient_checkpointing": True,
        "training.logging_steps": 1,
        "training.seed": 7,
        "evaluation.split": 0.05,
        "evaluation.every_steps": 1 / 16,
        "checkpoint.every_steps": 1 / 4,
        "checkpoint.keep": 4,
    }
    assert imported.is_usable
    lines = imported.config.splitlines()
    assert lines[0] == "# Support desk, second try."
    assert "  quantization: nf4  # fits the small card" in lines
    assert lines[lines.index("  # exported in May") + 1] == "  - path: data/chat.jsonl"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("adapter: lora\nload_in_8bit: true\n", {"method.type": "lora", "model.quantization": "int8"}),
        ("adapter: lora\nload_in_4bit: true\n", {"method.type": "qlora", "model.quantization": "nf4"}),
        ("adapter: qlora\n", {"method.type": "qlora", "model.quantization": "nf4"}),
        ("adapter:\n", {"method.type": "full"}),
        ("adapter: lora\npeft_use_dora: true\n", {"method.type": "dora"}),
        ("adapter: lora\npeft_use_rslora: true\n", {"method.type": "rslora"}),
        ("adapter: lora\npeft_init_lora_weights: pissa_niter_16\n", {"method.type": "pissa"}),
        ("adapter: lora\nlora_target_modules: '.*\\.(q|v)_proj'\n", {"method.target_modules": r".*\.(q|v)_proj"}),
        ("adapter: lora\nlora_target_modules: [q_proj]\n", {"method.target_modules": ["q_proj"]}),
        ("adapter: lora\n", {"method.target_modules": ["q_proj", "v_proj"]}),
        ("micro_batch_size: 2\nbatch_size: 16\n", {"training.gradient_accumulation_steps": 8}),
        ("gradient_accumulation_steps: 3\n", {"training.batch_size": 1, "training.gradient_accumulation_steps": 3}),
        ("bf16: true\n", {"model.dtype": "bfloat16", "training.precision": "bfloat16"}),
        ("bf16: false\nfp16: true\n", {"model.dtype": "float16", "training.precision": "float16"}),
        ("bf16: false\nfp16: false\nfloat16: true\n", {"training.precision": "float16"}),
        ("bf16: false\n", {"model.dtype": "float32", "training.precision": "float32"}),
        ("bf16:\n", {"model.dtype": "float32", "training.precision": "float32"}),
        ("bf16:\nfp16: true\n", {"training.precision": "float16"}),
        ("fp16:\n", {"model.dtype": None, "training.precision": None}),
        ("flash_attention: true\n", {"model.attention": "flash_attention_2"}),
        ("warmup_steps: 0.1\n", {"training.warmup_ratio": 0.1}),
        ("warmup_steps: 20\n", {"training.warmup_steps": 20}),
        ("warmup_steps: 0\nwarmup_ratio: 0.1\n", {"training.warmup_steps": None, "training.warmup_ratio": None}),
        ("warmup_steps: 0\n", {"training.warmup_steps": None, "training.warmup_ratio": None}),
        ("", {"training.warmup_ratio": 0.03, "training.lr_scheduler": "cosine", "training.max_length": 512}),
        ("train_on_inputs: true\n", {"training.completion_only_loss": False}),
        ("gradient_checkpointing: offload\n", {"training.gradient_checkpointing": True}),
        ("max_grad_norm: 0\n", {"training.max_grad_norm": 1_000_000}),
        ("num_epochs: 4\nsaves_per_epoch: 2\n", {"checkpoint.every_steps": 1 / 8}),
        ("num_epochs: 2\n", {"checkpoint.every_steps": 1 / 2}),
        ("save_steps: 0.2\n", {"checkpoint.every_steps": 0.2}),
        ("save_steps: 50\nsave_total_limit: 2\n", {"checkpoint.every_steps": 50, "checkpoint.keep": 2}),
        ("val_set_size: 0.1\neval_steps: 0.25\n", {"evaluation.split": 0.1, "evaluation.every_steps": 0.25}),
        (
            "val_set_size: 100\neval_steps: 5\n",
            {"datasets[0].split": "[100:]", "evaluation.datasets[0].split": "[:100]", "evaluation.every_steps": 5},
        ),
        ("chat_template_jinja: chat.jinja\n", {"model.chat_template": "chat.jinja"}),
        ("loraplus_lr_ratio: 16\nadapter: lora\n", {"method.lora_plus_ratio": 16}),
    ],
)
def test_a_value_keeps_its_meaning(written: str, expected: dict[str, Any]) -> None:
    found = translated("axolotl", BASE + written)
    assert {path: found.get(path) for path in expected} == expected


def test_the_form_of_each_dataset_is_said_in_our_terms() -> None:
    text = (
        "base_model: org/model\n"
        "datasets:\n"
        "  - {path: json, data_files: [a.jsonl, b.jsonl], type: {field_instruction: q, field_output: a}}\n"
        "  - {path: org/text, type: completion, field: body, split: 'train[:10%]'}\n"
        "  - {path: org/chat, type: chat_template, field_messages: turns}\n"
        "test_datasets:\n"
        "  - {path: held-out.jsonl, type: alpaca}\n"
        "eval_steps: 10\n"
    )
    found = translated("axolotl", text)
    assert found["datasets[0].path"] == "a.jsonl"
    assert found["datasets[1].path"] == "b.jsonl"
    assert (found["datasets[1].columns.instruction"], found["datasets[1].columns.output"]) == ("q", "a")
    assert (found["datasets[2].format"], found["datasets[2].columns.text"]) == ("text", "body")
    assert found["datasets[2].split"] == "train[:10%]"
    assert (found["datasets[3].format"], found["datasets[3].columns.messages"]) == ("messages", "turns")
    assert (found["evaluation.datasets[0].path"], found["evaluation.every_steps"]) == ("held-out.jsonl", 10)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("bf16: true\nfp16: true\n", "true"),
        ("val_set_size: 0.1\neval_steps: 10\nevals_per_epoch: 3\n", "3"),
        ("save_steps: 10\nsaves_per_epoch: 2\n", "2"),
        ("warmup_steps: 10\nwarmup_ratio: 0.2\n", "0.2"),
        ("gradient_accumulation_steps: 2\nbatch_size: 9\n", "9"),
        ("load_in_8bit: true\nload_in_4bit: true\nadapter: lora\n", "true"),
        ("load_in_4bit: true\n", "true"),
        ("micro_batch_size: 1\nmicro_batch_size: 2\n", "micro_batch_size"),
    ],
)
def test_a_contradiction_is_said_where_it_stands(written: str, at: str) -> None:
    assert [place for place, _ in said("axolotl", BASE + written, "IM05")] == [at]


def test_the_last_of_repeated_keys_counts_as_it_does_for_the_tool() -> None:
    found = translated("axolotl", BASE + "micro_batch_size: 1\nmicro_batch_size: 2\n")
    assert found["training.batch_size"] == 2


@pytest.mark.parametrize("written", ["rl: dpo\n", "reward_model: true\n", "adapter: llama-adapter\n", "relora: true\n"])
def test_another_way_of_training_is_an_error(written: str) -> None:
    assert not import_config("axolotl", BASE + written).is_usable


def test_a_misspelt_key_is_told_from_one_without_an_equivalent() -> None:
    text = BASE + "learning_rat: 1.0e-4\noutput_dir: ./out\nneftune_noise_alpha: 5\nwandb_project:\n"
    assert said("axolotl", text, "IM03") == [
        ("learning_rat", "Axolotl knows no `learning_rat`; did you mean `learning_rate`? It is left out.")
    ]
    assert [place for place, _ in said("axolotl", text, "IM02")] == ["output_dir", "neftune_noise_alpha"]
    assert [place for place, _ in said("axolotl", text, "IM09")] == ["wandb_project"]


@pytest.mark.parametrize(("key", "code"), [("learning_rat", "IM03"), ("neftune_noise_alpha", "IM02")])
def test_how_a_value_reads_does_not_hide_that_its_key_is_left_out(key: str, code: str) -> None:
    text = f"{BASE}{key}: 1e-4\n"
    assert [place for place, _ in said("axolotl", text, code)] == [key]
    assert said("axolotl", text, "IM07") == []


def test_a_section_without_an_equivalent_is_reported_once_from_its_key_to_its_end() -> None:
    section = "fsdp_config:\n  offload_params: true\n  state_dict_type: FULL_STATE_DICT"
    assert [place for place, _ in said("axolotl", BASE + section + "\n", "IM02")] == [section]


@pytest.mark.parametrize(
    ("written", "at"),
    [("adapter: lora\nlora_r: -4\n", "-4"), ("sequence_len: two\n", "two"), ("adapter: lora\nlora_dropout: 5\n", "5")],
)
def test_a_value_that_means_nothing_is_left_out_with_an_error(written: str, at: str) -> None:
    assert [place for place, _ in said("axolotl", BASE + written, "IM06")] == [at]


@pytest.mark.parametrize("written", ["test_datasets:\n", "test_datasets: []\n", "bnb_config_kwargs:\n", "peft: {}\n"])
def test_a_section_that_is_known_and_empty_is_not_called_unknown(written: str) -> None:
    assert said("axolotl", BASE + written, "IM03") == []
    assert [place for place, _ in said("axolotl", BASE + written, "IM09")] == [written.partition(":")[0]]


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("pretraining_dataset: org/c4\n", "pretraining_dataset"),
        ("test_datasets: [org/a, org/b]\n", "test_datasets"),
        ("test_datasets:\n  path: org/a\n  type: alpaca\n", "test_datasets:\n  path: org/a\n  type: alpaca"),
    ],
)
def test_a_list_of_sections_that_is_something_else_is_said_once_and_not_called_unknown(written: str, at: str) -> None:
    assert said("axolotl", BASE + written, "IM03") == []
    name = at.partition(":")[0]
    message = f"Axolotl takes a list of sections for `{name}`, and this is none. It is left out."
    assert said("axolotl", BASE + written, "IM06") == [(at, message)]


def test_comments_of_keys_that_are_left_out_stay_at_the_end() -> None:
    imported = import_config("axolotl", BASE + "wandb_project: desk  # the team's board\n")
    assert imported.config.splitlines()[-1] == "# wandb_project: the team's board"
