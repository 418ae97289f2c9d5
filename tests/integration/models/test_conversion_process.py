"""Conversions as users start them: in a process of their own, that can be given up, and on the real model."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from peft_daemon.models.converting import result_name
from peft_engine.export.conversion import convert
from peft_engine.models.conversion import Cancelled, convert_model
from peft_schemas.conversion import ConversionProgress, ConversionRequest
from tests.integration.models.small import write_small_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "base")


def peftw(*arguments: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from peft_daemon.cli.main import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_E25_a_conversion_from_the_command_line_says_how_near_it_is(base: Path, tmp_path: Path) -> None:
    done = peftw("convert", str(base), "--to", "gguf:q8_0", "-o", str(tmp_path / "x.gguf"), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert Path(result["output"]).stat().st_size == result["bytes"]
    assert 0 < result["difference"] < result["tolerance"]
    # Nothing of what the libraries say to each other.
    assert done.stderr == ""
    again = peftw("convert", str(base), "--to", "gguf:q9", "-o", str(tmp_path / "y.gguf"))
    assert (again.returncode, "There are: safetensors" in again.stderr) == (1, True)


def test_E16_E25_what_a_refused_pickle_advises_works_as_it_is_written(base: Path, tmp_path: Path) -> None:
    weights = {name: tensor.clone() for name, tensor in load_file(base / "model.safetensors").items()}
    torch.save(weights, tmp_path / "old.pt")
    refused = peftw("models", "add", "old.pt", folder=tmp_path)
    (advice,) = [line for line in refused.stderr.splitlines() if "peftw convert" in line]
    arguments = advice.partition("peftw ")[2].rstrip(".").split()

    done = peftw(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    written = load_file(tmp_path / "old.safetensors")
    assert {name: tensor.tobytes() for name, tensor in numbers(written).items()} == {
        name: tensor.tobytes() for name, tensor in numbers(weights).items()
    }
    again = peftw(*arguments, folder=tmp_path)
    assert (again.returncode, "exists already" in again.stderr) == (1, True)


def numbers(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: tensor.float().numpy() for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("model", "to", "name"),
    [
        ("org/SmolLM2-135M", "gguf:q8_0", "SmolLM2-135M-q8_0.gguf"),
        ("org/base:release-notes-1", "gguf-adapter", "base-release-notes-1-adapter.gguf"),
        ("nowhere/old model.bin", "safetensors", "old-model.safetensors"),
        ("nowhere/old model", "safetensors", "old-model-safetensors"),
    ],
)
def test_E25_a_result_is_named_after_its_model(model: str, to: str, name: str) -> None:
    assert result_name(model, to) == name


def test_E25_a_conversion_that_is_given_up_leaves_nothing(base: Path, tmp_path: Path) -> None:
    heard: list[ConversionProgress] = []
    request = ConversionRequest(source=str(base), to="gguf:f16", output=str(tmp_path / "x.gguf"))
    with pytest.raises(Cancelled):
        convert_model(request, heard.append, lambda: bool(heard))
    assert heard
    assert not list(tmp_path.iterdir())


@pytest.mark.model
def test_P3_the_real_model_is_packed_and_still_says_the_same(
    model_cache: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (folder,) = [path for path in model_cache.iterdir() if (path / "model.safetensors").is_file()]
    request = ConversionRequest(source=str(folder), to="gguf:q8_0", output=str(tmp_path / "x.gguf"))
    result = convert(request)
    record_property("difference", result.difference)
    assert result.difference < 0.08
    assert result.bytes < 150_000_000
    shutil.rmtree(tmp_path)
