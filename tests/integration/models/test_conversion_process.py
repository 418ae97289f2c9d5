"""Conversions as users start them: in a process of their own, that can be given up, and on the real model."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from peft_engine.export.conversion import convert
from peft_engine.models.conversion import Cancelled, convert_model
from peft_schemas.conversion import ConversionProgress, ConversionRequest
from tests.integration.models.small import write_small_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "base")


def peftw(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from peft_daemon.cli.main import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_E25_a_conversion_from_the_command_line_says_how_near_it_is(base: Path, tmp_path: Path) -> None:
    done = peftw("convert", str(base), "--to", "gguf:q8_0", "-o", str(tmp_path / "x.gguf"), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert Path(result["output"]).stat().st_size == result["bytes"]
    assert 0 < result["difference"] < result["tolerance"]
    again = peftw("convert", str(base), "--to", "gguf:q9", "-o", str(tmp_path / "y.gguf"))
    assert (again.returncode, "There are: safetensors" in again.stderr) == (1, True)


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
