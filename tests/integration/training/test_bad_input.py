"""Whatever is wrong with data, tokenizer or targets is one sentence with a way out, before training where it can be."""

import gzip
import json
import math
import shutil
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from peft_daemon.runs.plan import plan
from peft_schemas.errors import WorkbenchError
from tests.integration.training.workshop import events, finished, losses, of

GOOD = [{"prompt": f"q{n}", "completion": f"a{n}"} for n in range(4)]


def lines(*records: Any) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@dataclass
class Bad:
    """Data that cannot be trained on."""

    content: bytes | None
    """Of the file; None for a folder in its place."""

    code: str
    says: str
    name: str = "train.jsonl"
    dataset: dict[str, Any] = field(default_factory=dict)


BAD_DATA = {
    "a null field": Bad(lines(*GOOD, {"prompt": None, "completion": "a"}), "dataset-unreadable", "line 5 has no text"),
    "a NaN field": Bad(lines(*GOOD, {"prompt": "q", "completion": float("nan")}), "dataset-unreadable", "NaN"),
    "an empty cell": Bad(b"prompt,completion\nq,\n", "dataset-unreadable", "line 2 has no text", "train.csv"),
    "only a system turn": Bad(
        lines({"messages": [{"role": "system", "content": "Be kind."}]}),
        "dataset-unreadable",
        "no turn of the assistant",
    ),
    "half a character": Bad(b'{"text": "\\ud83d"}\n', "dataset-unreadable", "half a character"),
    "a record that is no object": Bad(b"[1]\n", "dataset-unreadable", "line 1"),
    "a line cut short": Bad(lines(*GOOD) + b'{"prompt": "q", "compl', "dataset-unreadable", "line 5"),
    "nothing": Bad(b"", "dataset-empty", "holds no record"),
    "a split that leaves nothing": Bad(lines(*GOOD), "dataset-empty", "leaves no record", dataset={"split": "[2:2]"}),
    "a weight that leaves nothing": Bad(
        lines(*GOOD), "dataset-empty", "leaves none of the 4", dataset={"weight": 0.01}
    ),
    "another format than is written": Bad(
        lines(*GOOD), "dataset-unreadable", "no text in `instruction`", dataset={"format": "alpaca"}
    ),
    "a compressed file": Bad(gzip.compress(lines(*GOOD)), "dataset-unreadable", "is compressed"),
    "UTF-16": Bad(lines(*GOOD).decode().encode("utf-16"), "dataset-unreadable", "is UTF-16"),
    "Latin-1": Bad(b'{"text": "caf\xe9"}\n', "dataset-unreadable", "not UTF-8 text at line 1"),
    "a folder": Bad(None, "dataset-unreadable", "is a folder"),
    "a line of a hundred megabytes": Bad(b'{"text": "' + b"x" * 100_000_000 + b'"}\n', "dataset-unreadable", "line 1"),
}


def write(workshop, bad):
    path = workshop.folder / bad.name
    (workshop.folder / "train.jsonl").unlink()
    path.mkdir() if bad.content is None else path.write_bytes(bad.content)
    return {"path": bad.name, **bad.dataset}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_ends_the_run_before_the_training_libraries_are_loaded(workshop, case):
    bad = BAD_DATA[case]
    # No such base is there, and nobody comes to look for it.
    run = workshop.make(datasets=[write(workshop, bad)], model={"base": "nobody/nothing"})
    if "weight" in bad.dataset:
        # What a weight leaves is counted once everything is split.
        run = workshop.make(datasets=[{"path": bad.name, **bad.dataset}])
    end = finished(run)
    assert (end.type, end.error.code) == ("failed", bad.code)
    assert bad.says in end.error.message
    assert end.error.remedy
    assert "\n" not in end.error.message
    assert not of(run, "plan")


@pytest.mark.parametrize("case", BAD_DATA)
def test_a_dry_run_finds_bad_data_too(workshop, case):
    bad = BAD_DATA[case]
    config = {"version": 1, "model": {"base": workshop.base}, "datasets": [write(workshop, bad)]}
    path = workshop.folder / "demo.peft.yaml"
    path.write_text(json.dumps(config))
    with pytest.raises(WorkbenchError) as caught:
        plan(path)
    # What the editor finds too is refused as a fault of the config.
    assert caught.value.code in {bad.code, "config-invalid"}
    if caught.value.code == bad.code:
        assert bad.says in caught.value.message


@pytest.fixture
def altered(workshop, tiny_base):
    """Return a base like the tiny one whose tokenizer was changed."""

    def alter(change):
        folder = workshop.folder / "altered"
        shutil.copytree(tiny_base, folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        change(tokenizer)
        for file in ("chat_template.jinja", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            (folder / file).unlink(missing_ok=True)
        tokenizer.save_pretrained(folder)
        return {"base": str(folder)}

    return alter


def without(name):
    return lambda tokenizer: setattr(tokenizer, name, None)


def test_a_tokenizer_without_a_chat_template_is_told_before_the_weights_are_loaded(workshop, altered):
    run = workshop.make(model=altered(without("chat_template")))
    end = finished(run)
    assert (end.type, end.error.code) == ("failed", "not-supported")
    assert "no chat template" in end.error.message
    assert "model.chat_template" in end.error.remedy
    assert "loading the model" not in [event.detail for event in of(run, "state")]


def test_a_tokenizer_without_a_padding_token_trains_as_one_with_it(workshop, altered):
    plain, bare = workshop.make(), workshop.make(model=altered(without("pad_token")))
    assert finished(plain).type == finished(bare).type == "completed"
    assert losses(plain) == losses(bare)


def test_a_tokenizer_without_an_end_token_trains_and_warns(workshop, altered):
    (workshop.folder / "train.jsonl").write_bytes(lines(*({"text": f"text {n}"} for n in range(8))))
    run = workshop.make(model=altered(without("eos_token")))
    assert finished(run).type == "completed"
    assert any("no end token" in event.message for event in of(run, "log"))


def test_a_tokenizer_that_writes_tokens_the_model_does_not_know_is_told(workshop, altered):
    run = workshop.make(model=altered(lambda tokenizer: tokenizer.add_tokens(["owl"])))
    end = finished(run)
    assert (end.type, end.error.code) == ("failed", "model-unreadable")
    assert "the model knows only 259 tokens" in end.error.message
    assert "loading the model" not in [event.detail for event in of(run, "state")]


def test_a_tokenizer_that_could_write_more_tokens_than_the_model_knows_but_does_not_is_fine(workshop, altered):
    assert finished(workshop.make(model=altered(lambda t: t.add_tokens(["zebra"])))).type == "completed"


def test_a_tokenizer_with_fewer_tokens_than_the_model_is_fine(workshop, tiny_base):
    wide = workshop.folder / "wide"
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    model.resize_token_embeddings(300)
    model.save_pretrained(wide)
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(wide)
    assert finished(workshop.make(model={"base": str(wide)})).type == "completed"


def test_examples_beyond_the_length_are_cut_and_counted(workshop):
    records = [{"prompt": "q", "completion": "short"}] * 3 + [{"prompt": "q", "completion": "long " * 100}]
    (workshop.folder / "train.jsonl").write_bytes(lines(*records))
    run = workshop.make(training={"max_length": 4096})
    assert finished(run).type == "completed"
    said = [event.message for event in of(run, "log")]
    assert any("the model reads 256 tokens" in message for message in said)
    assert any("1 of 4 examples is cut" in message for message in said)


def test_examples_whose_prompts_fill_the_length_are_left_out_and_counted(workshop):
    records = [{"prompt": "q", "completion": "a"}] * 3 + [{"prompt": "long " * 100, "completion": "a"}]
    (workshop.folder / "train.jsonl").write_bytes(lines(*records))
    run = workshop.make()
    assert finished(run).type == "completed"
    assert of(run, "plan")[0].examples == 3
    assert any("1 of 4 examples is left out: its prompt fills" in event.message for event in of(run, "log"))


@pytest.mark.parametrize("asked", [256, 512])
def test_examples_whose_prompts_fill_what_the_model_reads_are_not_to_be_given_more_length(workshop, asked):
    records = [{"prompt": "long " * 100, "completion": "a"}] * 3
    (workshop.folder / "train.jsonl").write_bytes(lines(*records))
    end = finished(workshop.make(training={"max_length": asked}))
    assert (end.type, end.error.code) == ("failed", "dataset-empty")
    assert end.error.message == "No example has anything to learn within the 256 tokens that the model reads."
    assert "max_length" not in end.error.remedy


def test_targets_that_match_nothing_are_told_before_the_examples_are_written(workshop):
    run = workshop.make(method={"type": "lora", "target_modules": ["w_pack"]})
    end = finished(run)
    assert (end.type, end.error.code) == ("failed", "no-target-module")
    details = [event.detail for event in of(run, "state")]
    assert "writing the examples in the model's own form" not in details
    assert "loading the model" not in details
    assert events(run)[-1].error.remedy.startswith("Use `all-linear`")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("method", "packed"),
    [
        ("lora", {}),
        ("pissa", {}),
        ("full", {}),
        ("qlora", {"quantization": "nf4"}),
        ("qlora", {"quantization": "nf4", "double_quantization": False}),
        ("lora", {"quantization": "int8"}),
    ],
)
def test_a_base_whose_weights_are_not_numbers_is_told_before_the_first_step(workshop, tiny_base, method, packed, value):
    broken = workshop.folder / "broken"
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = value
    model.save_pretrained(broken)
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(broken)
    run = workshop.make(model={"base": str(broken), **packed}, method={"type": method})
    end = finished(run)
    assert (end.type, end.error.code) == ("failed", "model-damaged")
    assert "model.layers.1.mlp.up_proj.weight" in end.error.message
    assert not of(run, "metric")
    assert not run.adapter.exists()
