"""TRL's configs, as `trl sft --config` takes them: flat, with the defaults of four dataclasses."""

import json
from typing import Any

import pytest

from peft_engine.config.foreign.translate import import_config
from tests.unit.config.foreign.reading import said, translated

BASE = "model_name_or_path:\n  org/model\ndataset_name:\n  org/data\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", {"method.type": "full", "training.batch_size": 8, "training.learning_rate": 2e-5}),
        ("", {"training.gradient_checkpointing": True, "training.precision": "bfloat16", "model.dtype": "float32"}),
        ("use_peft: true\n", {"method.type": "lora", "method.target_modules": ["q_proj", "v_proj"]}),
        ("use_peft: true\n", {"method.dropout": 0.05}),
        ("use_peft: true\nlora_target_modules: all-linear\n", {"method.target_modules": "all-linear"}),
        ("use_peft: true\nload_in_4bit: true\n", {"method.type": "qlora", "model.double_quantization": False}),
        ("use_peft: true\nload_in_8bit: true\n", {"method.type": "lora", "model.quantization": "int8"}),
        ("use_peft: true\nuse_rslora: true\n", {"method.type": "rslora"}),
        ("fp16: true\nbf16: false\n", {"training.precision": "float16"}),
        ("torch_dtype: bfloat16\n", {"model.dtype": "bfloat16"}),
        ("learning_rate: 1e-4\n", {"training.learning_rate": 1e-4}),
        ("max_steps: -1\n", {"training.max_steps": None}),
        ("max_steps: 40\n", {"training.max_steps": 40}),
        ("eval_strategy: steps\neval_steps: 10\n", {"evaluation.datasets[0].split": "test"}),
        ("eval_strategy: 'no'\n", {"evaluation.datasets[0].path": None}),
        ("eval_strategy: no\n", {"evaluation.datasets[0].path": None}),
        ("save_strategy: epoch\nnum_train_epochs: 4\n", {"checkpoint.every_steps": 1 / 4}),
        ("completion_only_loss: false\n", {"training.completion_only_loss": False}),
        ("assistant_only_loss: true\n", {"training.completion_only_loss": True}),
        ("dataset_text_field: body\n", {"datasets[0].columns.text": "body"}),
        ("lr_scheduler_type: cosine\nwarmup_ratio: 0.1\n", {"training.warmup_ratio": 0.1}),
        ("warmup_steps: 0\nwarmup_ratio: 0.1\n", {"training.warmup_ratio": 0.1}),
        ("max_length: null\n", {"training.max_length": 8192}),
        ("max_length: 512\n", {"training.max_length": 512}),
        ("", {"training.max_length": None}),
    ],
)
def test_a_value_keeps_its_meaning(written: str, expected: dict[str, Any]) -> None:
    found = translated("trl", BASE + written)
    assert {path: found.get(path) for path in expected} == expected


def test_json_is_read_as_well() -> None:
    config = {"model_name_or_path": "org/model", "dataset_name": "org/data", "learning_rate": 1e-05}
    found = translated("trl", json.dumps(config, indent=2))
    assert (found["model.base"], found["training.learning_rate"]) == ("org/model", 1e-05)


def test_a_mixture_of_datasets_is_a_list() -> None:
    text = "model_name_or_path: org/model\ndatasets:\n  - path: org/a\n    split: train\n  - path: org/b\n"
    found = translated("trl", text)
    assert [found["datasets[0].path"], found["datasets[0].split"], found["datasets[1].path"]] == [
        "org/a",
        "train",
        "org/b",
    ]


def test_a_config_without_data_has_to_be_filled_in() -> None:
    assert not import_config("trl", "model_name_or_path: org/model\n").is_usable


FILES = (
    "model_name_or_path: org/model\ndatasets:\n  - path: json\n    data_files: [a.jsonl, b.jsonl]\n  - path: org/c\n"
)


def test_every_file_of_a_mixture_is_kept() -> None:
    found = translated("trl", FILES + "dataset_text_field: body\n")
    assert [found[f"datasets[{index}].path"] for index in range(3)] == ["a.jsonl", "b.jsonl", "org/c"]
    assert [found[f"datasets[{index}].columns.text"] for index in range(3)] == ["body", "body", "body"]


@pytest.mark.parametrize(("split", "file"), [("", "a.jsonl"), ("    split: test\n", "b.jsonl")])
def test_of_files_by_their_split_those_that_are_read_are_taken(split: str, file: str) -> None:
    text = "model_name_or_path: org/model\ndatasets:\n  - path: json\n"
    text += f"    data_files: {{train: a.jsonl, test: b.jsonl}}\n{split}"
    found = translated("trl", text)
    assert (found["datasets[0].path"], found.get("datasets[0].split")) == (file, None)
    assert said("trl", text, "IM03") == []
    assert len(said("trl", text, "IM02")) == 1


def test_what_is_held_out_is_not_trained_on_though_nothing_evaluates_on_it() -> None:
    found = translated("trl", FILES + "test_split_size: 0.1\n")
    assert (found["evaluation.split"], found["evaluation.every_steps"]) == (0.1, 0.9999)
    assert len(said("trl", FILES + "test_split_size: 0.1\n", "IM04")) == 2


def test_a_share_of_a_mixture_is_said_to_be_a_weight_here() -> None:
    messages = [message for _, message in said("trl", FILES + "    fraction: 0.3\n", "IM02")]
    assert ["`datasets[].weight`" in message for message in messages] == [True]


def test_variables_of_the_environment_are_no_idle_section() -> None:
    assert len(said("trl", BASE + "env:\n  CUDA_VISIBLE_DEVICES: 0\n", "IM02")) == 1
