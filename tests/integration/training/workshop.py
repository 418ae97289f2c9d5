"""Laying out runs as the launcher does, and the worker on them: in this process, or in one of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft_engine.rundir import EventTail, RunDirectory, create_run_directory
from peft_engine.rundir.lay_out import lay_out
from peft_engine.training.worker import work
from peft_schemas.config import RunConfig
from peft_schemas.events import FINAL_STATES, AnyEvent


@dataclass
class Workshop:
    """Makes run directories as the launcher does."""

    folder: Path
    base: str

    def dataset(self, name: str = "train.jsonl", count: int = 24) -> Path:
        """Write a dataset of arithmetic."""
        path = self.folder / name
        records = [
            {"prompt": f"What is {n} and {n + 1}?", "completion": f"It is {2 * n + 1}, said the owl."}
            for n in range(count)
        ]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    def make(self, **sections: Any) -> RunDirectory:
        """Lay out a run of the sections over small defaults; `model={"base": ...}` replaces the tiny base."""
        data: dict[str, Any] = {
            "version": 1,
            "name": "demo",
            "model": {"base": self.base},
            "datasets": [{"path": "train.jsonl"}],
            "checkpoint": {"every_steps": 2},
        }
        training = {"max_steps": 4, "batch_size": 4, "learning_rate": 0.01, **sections.pop("training", {})}
        if "dtype" not in sections.get("model", {}):
            # Exact on every machine, so that losses can be compared with those of the libraries.
            training.setdefault("precision", "float32")
        config = RunConfig.model_validate({**data, "training": training, **sections})
        run = create_run_directory("demo")
        run.write_state(lay_out(run, config, self.folder / "demo.peft.yaml"))
        return run


def events(run: RunDirectory) -> list[AnyEvent]:
    """Return every event of a run."""
    return EventTail(run.events).read()


def of(run: RunDirectory, kind: str) -> list[Any]:
    """Return the events of one type."""
    return [event for event in events(run) if event.type == kind]


def losses(run: RunDirectory) -> list[float]:
    """Return the loss of each reported step."""
    return [event.values["loss"] for event in of(run, "metric")]


def finished(run: RunDirectory) -> Any:
    """Run the worker in this process and return its one final event, having checked that it is one and the last."""
    code = work(run.path)
    every = events(run)
    final = [event for event in every if event.type in FINAL_STATES]
    assert final == every[-1:], "one final event, and it is the last"
    assert [event.seq for event in every] == list(range(1, len(every) + 1))
    assert run.read_state().state == final[0].type
    assert code == (1 if final[0].type == "failed" else 0)
    assert (final[0].run_id, final[0].directory) == (run.id, str(run.path))
    return final[0]


def start(run: RunDirectory, **env: str) -> "subprocess.Popen[bytes]":
    """Start the worker as the launcher does, in a session of its own."""
    command = [sys.executable, "-m", "peft_engine.training", str(run.path)]
    with run.log.open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **env}
        )
