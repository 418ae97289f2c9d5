"""LLaMA-Factory's configs: its traps, its own defaults, and its datasets by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from peft_engine.config.foreign.translate import import_config
from tests.unit.config.foreign.reading import said, translated, values

BASE = "model_name_or_path: org/model\ndataset: desk\n"

WHOLE = """\
### model
model_name_or_path: org/model
trust_remote_code: true

### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 16
lora_target: q_proj,v_proj
additional_target: embed_tokens
quantization_bit: 4
quantization_method: bnb

### dataset
dataset: desk, plain
cutoff_len: 1024
max_samples: 1000
overwrite_cache: true

### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
plot_loss: true
report_to: none

### eval
val_size: 0.1
eval_strategy: epoch
save_steps: 500
"""


def test_a_whole_config_with_its_dataset_info(tmp_path: Path) -> None:
    info = {
        "desk": {
            "file_name": "desk.json",
            "formatting": "sharegpt",
            "columns": {"messages": "turns"},
            "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
        },
        "plain": {"hf_hub_url": "org/plain", "columns": {"prompt": "q", "response": "a"}},
    }
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dataset_info.json").write_text(json.dumps(info))
    imported = import_config("llamafactory", WHOLE, tmp_path)
    assert imported.is_usable
    assert values(imported) == {
        "version": 1,
        "model.base": "org/model",
        "model.dtype": "bfloat16",
        "model.quantization": "nf4",
        "model.trust_remote_code": True,
        "method.type": "qlora",
        "method.r": 16,
        "method.alpha": 32,
        "method.target_modules": ["q_proj", "v_proj"],
        "method.modules_to_save": ["embed_tokens"],
        "datasets[0].path": "data/desk.json",
        "datasets[0].format": "messages",
        "datasets[0].split": "[:1000]",
        "datasets[0].columns.messages": "turns",
        "datasets[1].path": "org/plain",
        "datasets[1].format": "alpaca",
        "datasets[1].split": "[:1000]",
        "datasets[1].columns.instruction": "q",
        "datasets[1].columns.output": "a",
        "training.num_epochs": 3,
        "training.batch_size": 1,
        "training.gradient_accumulation_steps": 8,
        "training.learning_rate": 1e-4,
        "training.lr_scheduler": "cosine",
        "training.warmup_ratio": 0.1,
        "training.precision": "bfloat16",
        "training.max_length": 1024,
        "training.gradient_checkpointing": True,
        "training.logging_steps": 500,
        "evaluation.split": 0.1,
        "evaluation.every_steps": 1 / 3,
        "evaluation.batch_size": 8,
        "checkpoint.every_steps": 500,
        "checkpoint.keep": 1000,
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", {"training.gradient_checkpointing": True, "method.r": 8, "method.alpha": 16}),
        ("disable_gradient_checkpointing: true\n", {"training.gradient_checkpointing": False}),
        ("lora_rank: 64\n", {"method.alpha": 128}),
        ("lora_rank: 64\nlora_alpha: 20\n", {"method.alpha": 20}),
        ("lora_target: all\n", {"method.target_modules": "all-linear"}),
        ("finetuning_type: full\n", {"method.type": "full", "method.r": None}),
        ("use_dora: true\n", {"method.type": "dora"}),
        ("pissa_init: true\n", {"method.type": "pissa"}),
        ("pure_bf16: true\n", {"training.precision": "bfloat16", "model.dtype": "bfloat16"}),
        ("bf16: false\npure_bf16: true\n", {"training.precision": "bfloat16"}),
        ("fp16: true\n", {"training.precision": "float16"}),
        ("flash_attn: fa2\n", {"model.attention": "flash_attention_2"}),
        ("flash_attn: disabled\n", {"model.attention": "eager"}),
        ("stage: pt\n", {"training.completion_only_loss": False, "training.packing": True}),
        ("stage: pt\npacking: false\n", {"training.packing": False}),
        ("train_on_prompt: true\n", {"training.completion_only_loss": False}),
        ("neat_packing: true\n", {"training.packing": True}),
        ("learning_rate: 1e-4\n", {"training.learning_rate": 1e-4}),
        ("", {"training.batch_size": 8, "training.learning_rate": 5e-5, "training.max_length": 2048}),
        ("quantization_bit: 8\n", {"model.quantization": "int8", "method.type": "lora"}),
        ("quantization_bit: 4\ndouble_quantization: false\n", {"model.double_quantization": False}),
        ("eval_dataset: other\neval_strategy: steps\neval_steps: 20\n", {"evaluation.datasets[0].path": "other"}),
    ],
)
def test_a_value_keeps_its_meaning(written: str, expected: dict[str, Any]) -> None:
    found = translated("llamafactory", BASE + written)
    assert {path: found.get(path) for path in expected} == expected


def test_a_default_that_differs_is_written_with_a_word_about_it() -> None:
    text = import_config("llamafactory", BASE).config
    assert "  gradient_checkpointing: true  # LLaMA-Factory's default" in text
    assert "  alpha: 16  # LLaMA-Factory's default: twice the rank" in text


def test_a_dataset_that_cannot_be_looked_up_is_said_at_its_name() -> None:
    assert [place for place, _ in said("llamafactory", BASE, "IM08")] == ["desk"]


def test_every_word_of_a_dataset_s_description_is_carried_over_or_has_a_finding(tmp_path: Path) -> None:
    info: dict[str, Any] = {
        "part": {"hf_hub_url": "org/part", "subset": "main", "folder": "v2"},
        "some": {"file_name": "some.json", "num_samples": 300},
        "split": {"hf_hub_url": "org/split", "split": "train_sft"},
        "openai": {
            "file_name": "openai.json",
            "formatting": "openai",
            "columns": {"messages": "messages"},
            "tags": {"role_tag": "role", "content_tag": "content"},
        },
        "turns": {
            "file_name": "turns.json",
            "formatting": "sharegpt",
            "tags": {"role_tag": "who", "content_tag": "what"},
        },
        "names": {"file_name": "names.json", "formatting": "sharegpt", "tags": {"user_tag": "Q", "assistant_tag": "A"}},
        "script": {"script_url": "belle"},
        "cloud": {"cloud_file_name": "s3://bucket/a.json"},
        "pairs": {"file_name": "pairs.json", "ranking": True},
    }
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dataset_info.json").write_text(json.dumps(info))

    def outcome(name: str, written: str = "") -> tuple[dict[str, Any], list[str]]:
        text = f"model_name_or_path: org/model\nstage: sft\ndataset: {name}\n{written}"
        imported = import_config("llamafactory", text, tmp_path)
        return values(imported), [
            f"{finding.code} {finding.severity} {finding.message}"
            for finding in imported.findings
            if finding.range.start.line == 2
        ]

    part = outcome("part")
    assert part[0]["datasets[0].path"] == "org/part"
    assert ["`main`" in said and "`v2`" in said for said in part[1]] == [True]
    some = outcome("some")
    assert some[0]["datasets[0].split"] == "[:300]"
    assert ["at random" in said for said in some[1]] == [True]
    assert outcome("some", "max_samples: 50\n")[0]["datasets[0].split"] == "[:50]"
    assert outcome("split", "max_samples: 50\n")[0]["datasets[0].split"] == "train_sft[:50]"
    assert outcome("openai")[0]["datasets[0].format"] == "messages"
    assert ["`who`" in said and "`what`" in said for said in outcome("turns")[1]] == [True]
    assert ["`A`" in said and "`Q`" in said for said in outcome("names")[1]] == [True]
    for name in ("script", "cloud", "pairs"):
        assert [said.startswith("IM06 error") for said in outcome(name)[1]] == [True], name


def test_packing_that_lets_examples_see_each_other_is_said() -> None:
    assert [place for place, _ in said("llamafactory", BASE + "packing: true\n", "IM04")] == ["true"]


@pytest.mark.parametrize("written", ["stage: dpo\n", "finetuning_type: oft\n", "use_galore: true\n"])
def test_another_way_of_training_is_an_error(written: str) -> None:
    assert not import_config("llamafactory", BASE + written).is_usable
