"""One model that two tools keep is told apart from models that are only alike."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from peft_daemon.cli.main import main
from peft_daemon.models.listing import list_models
from peft_engine.library.scan import scan
from peft_schemas.library import ModelQuery
from tests.unit.library.layouts import plant_ollama, write_folder, write_gguf

TENSORS = 40
"""Of a model of 20 MB, so that most of it is read by no look."""


def copies() -> dict[str, list[str]]:
    scan()
    return {model.id: model.copies for model in list_models(ModelQuery()).models if model.copies}


def write_large(folder: Path) -> Path:
    numbers = np.random.default_rng(1)
    tensors = {f"model.layers.{place}": numbers.normal(size=(256, 512)).astype(np.float32) for place in range(TENSORS)}
    save_file(tensors, write_folder(folder) / "model.safetensors")
    return folder


def test_E26_what_two_tools_keep_of_one_model_is_a_copy(machine: Path) -> None:
    blob = plant_ollama(machine / ".ollama/models")
    kept = machine / ".lmstudio/models/pub/repo/tiny.gguf"
    kept.parent.mkdir(parents=True)
    shutil.copyfile(blob, kept)
    write_gguf(machine / ".cache/llama.cpp/other.gguf", tokens=("c", "d"))
    assert copies() == {"tiny:1b": ["pub/repo/tiny"], "pub/repo/tiny": ["tiny:1b"]}

    changed = bytearray(kept.read_bytes())
    changed[-1] ^= 1
    kept.write_bytes(changed)
    assert copies() == {}


def test_E26_one_file_under_two_names_is_no_copy(machine: Path) -> None:
    blob = plant_ollama(machine / ".ollama/models")
    (machine / ".cache/llama.cpp").mkdir(parents=True)
    os.link(blob, machine / ".cache/llama.cpp/linked.gguf")
    assert copies() == {}


def test_E26_a_model_that_was_trained_further_in_one_tensor_is_no_copy(machine: Path) -> None:
    models = machine / ".lmstudio/models"
    first = write_large(models / "pub/first")
    second = models / "pub/second"
    shutil.copytree(first, second)
    # What is not weights may differ.
    (second / "README.md").write_text("Another page.\n")
    assert copies() == {"pub/first": ["pub/second"], "pub/second": ["pub/first"]}

    tensors = load_file(second / "model.safetensors")
    tensors["model.layers.17"] = tensors["model.layers.17"] * np.float32(1.001)
    save_file(tensors, second / "model.safetensors")
    assert copies() == {}


def test_E26_the_command_line_says_which_models_are_one(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob = plant_ollama(machine / ".ollama/models")
    (machine / ".cache/llama.cpp").mkdir(parents=True)
    shutil.copyfile(blob, machine / ".cache/llama.cpp/again.gguf")
    scan()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr("sys.argv", ["peftw", "models", "list"])
        main()
    captured = capsys.readouterr()
    assert captured.err.count("The same weights, each in files of its own: again, tiny:1b\n") == 1
    assert "weights" not in captured.out
