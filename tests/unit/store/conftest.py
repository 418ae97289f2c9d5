import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from peft_engine.rundir import EventLog, RunDirectory, create_run_directory
from peft_engine.rundir.directory import now
from peft_schemas.config import RunConfig
from peft_schemas.events import CompletedEvent, MetricEvent, RunState, StateFile

MakeRun = Callable[..., RunDirectory]

CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "demo",
    "model": {"base": "org/base"},
    "datasets": [{"path": "train.jsonl"}],
}


def make_run_directory(
    name: str = "demo",
    state: RunState = "completed",
    *,
    losses: list[float | None] | None = None,
    config: Mapping[str, Any] | None = None,
    data: str = "a" * 64,
    base: str = "org/base",
) -> RunDirectory:
    """Lay out a run as a worker leaves it; a completed one has an artifact, whose bytes are its losses."""
    run = create_run_directory(name)
    full = RunConfig.model_validate({**CONFIG, "name": name, **(config or {})}).model_dump(mode="json")
    run.resolved.write_text(json.dumps({"config": full, "explained": [], "source": "/somewhere/demo.peft.yaml"}))
    run.source.write_text(f"version: 1\nname: {name}\n")
    record = {"python": "3.12.1 (main)", "seed": 42, "packages": {"torch": "2.9"}, "git": {"commit": "c" * 40}}
    record["datasets"] = [{"path": "/data/train.jsonl", "sha256": data, "format": "prompt-completion", "examples": 3}]
    run.environment.write_text(json.dumps(record))
    losses = [2.0, 1.0] if losses is None else losses
    with EventLog(run.events) as log:
        for step, loss in enumerate(losses, 1):
            log.append(MetricEvent, step=step, epoch=0.0, values={"loss": loss, "tokens": 10.0 * step})
        if state == "completed":
            run.adapter.mkdir()
            (run.adapter / "adapter_model.safetensors").write_text(repr(losses))
            run.write_manifest(run.hash_artifacts([run.adapter]))
            log.append(
                CompletedEvent,
                run_id=run.id,
                directory=str(run.path),
                step=len(losses),
                adapter="adapter",
                gguf=None,
            )
    run.write_state(
        StateFile(
            run_id=run.id,
            name=name,
            state=state,
            pid=None,
            started=None,
            created=now(),
            updated=now(),
            base=base,
            config_path="/somewhere/demo.peft.yaml",
            step=len(losses),
            total_steps=len(losses),
        )
    )
    return run


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, str], None]]:
    """Mount a small disk over a folder."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this machine does not let a disk be mounted")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.fixture
def make_run(home: Path) -> MakeRun:
    return make_run_directory
