"""What is wrong with a model's files reaches the editor."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from peft_engine.look.answers import answer
from peft_engine.look.questions import AskModel
from tests.unit.models.gguf_files import Gguf


def kind(folder: Path, base: str) -> str | None:
    model = answer(AskModel(base=base, revision=None, folder=str(folder))).model
    return None if model is None or model.flaw is None else model.flaw.kind


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "llama"}')
    (base / "tokenizer.json").write_text("{}")
    save_file({"a.weight": np.ones((2, 4), np.float32)}, base / "model.safetensors")
    return tmp_path


def test_E23_a_sound_base_and_a_base_on_paper_have_no_flaw(folder: Path) -> None:
    assert kind(folder, "./base") is None
    (folder / "base/model.safetensors").unlink()
    (folder / "base/tokenizer.json").unlink()
    assert kind(folder, "./base") is None


def test_E23_a_missing_shard_is_said(folder: Path) -> None:
    index = {"weight_map": {"a.weight": "model.safetensors", "b.weight": "model-00002-of-00002.safetensors"}}
    (folder / "base/model.safetensors.index.json").write_text(json.dumps(index))
    assert kind(folder, "./base") == "model-incomplete"


def test_E23_a_file_that_was_cut_off_is_said(folder: Path) -> None:
    file = folder / "base/model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert kind(folder, "./base") == "model-truncated"
    whole = Gguf().written()
    for length in (len(whole) - 1, 60):  # in the tensors, and in the header
        (folder / "x.gguf").write_bytes(whole[:length])
        assert kind(folder, "./x.gguf") == "model-truncated"
