"""What a run made says in GGUF what it said when it was trained, whichever the method: trained, then exported."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peft_daemon.models.exporting import request_for_run
from peft_engine.export.agreement import TorchModel, difference
from peft_engine.export.conversion import convert
from peft_engine.export.native import NativeModel
from peft_engine.rundir import RunDirectory
from peft_schemas.errors import WorkbenchError
from tests.integration.models.small import write_small_model
from tests.integration.training.workshop import Workshop, finished

METHODS: dict[str, tuple[dict[str, Any], list[tuple[str, bool]]]] = {
    "lora": ({}, [("f32", False)]),
    "rslora": ({}, [("f32", False), ("f16", True)]),
    "dora": ({}, [("f16", True)]),
    "pissa": ({}, [("f32", False), ("q8_0", True)]),
    "qlora": ({"quantization": "nf4"}, [("f32", False), ("q8_0", True)]),
    "full": ({}, [("f16", False)]),
}
"""What `model` says beside the base, and the exports that are made: the type, and whether merged."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Undo the signal handlers that the worker sets in this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def trained(base: Path, folder: Path, method: str) -> RunDirectory:
    """A run of a few steps that change what the model says by far more than an export may."""
    shop = Workshop(folder, str(base))
    shop.dataset()
    adapter = {} if method == "full" else {"r": 4, "alpha": 16.0}
    run = shop.make(
        model={"base": str(base), **METHODS[method][0]},
        method={"type": method, **adapter},
        training={"max_steps": 3, "learning_rate": 0.003 if method == "full" else 0.02},
        checkpoint={"every_steps": 1000},
    )
    assert finished(run).type == "completed"
    return run


@pytest.mark.parametrize("method", METHODS)
def test_P3_a_run_of_each_method_is_exported_as_it_was_trained(base: Path, tmp_path: Path, method: str) -> None:
    run = trained(base, tmp_path, method)
    for kind, merge in METHODS[method][1]:
        output = tmp_path / f"{kind}-{merge}.gguf"
        request = request_for_run(run.id, gguf=kind, merge=merge, output=output)
        result = convert(request)
        assert result.difference <= result.tolerance
        if kind in ("f32", "f16"):
            assert result.difference < 0.005
        alone = request.to == "gguf-adapter"
        if not alone:
            # What agrees with the trained model does so because of what was trained.
            with NativeModel(output, threads=1) as exported:
                assert difference(TorchModel(base), exported) > 3 * result.tolerance


@pytest.mark.parametrize("method", ["dora"])
def test_P3_what_has_no_form_of_its_own_is_refused_alone_and_nothing_is_left(
    base: Path, tmp_path: Path, method: str
) -> None:
    run = trained(base, tmp_path, method)
    output = tmp_path / "alone.gguf"
    with pytest.raises(WorkbenchError, match="has no GGUF form"):
        convert(request_for_run(run.id, gguf="f32", merge=False, output=output))
    assert not output.exists()


def test_P3_a_run_is_exported_from_the_command_line(base: Path, tmp_path: Path) -> None:
    run = trained(base, tmp_path, "lora")
    command = [sys.executable, "-c", "from peft_daemon.cli.main import main; main()", "export", run.id]
    output = tmp_path / "x.gguf"
    done = subprocess.run(
        [*command, "--gguf", "q8_0", "--merge", "-o", str(output), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["output"], result["bytes"]) == (str(output), output.stat().st_size)
    assert result["difference"] <= result["tolerance"]
