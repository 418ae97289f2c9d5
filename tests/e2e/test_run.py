"""A run from the command line, on the real model, through every way it can end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from peft_engine.process import ProcessIdentity
from peft_engine.rundir import find_run
from tests.e2e.conftest import Peftw
from tests.waiting import wait_until

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_home")]


def longer(config: Path, steps: int = 500) -> None:
    text = config.read_text().replace("max_steps: 2", f"max_steps: {steps}")
    config.write_text(text + "checkpoint: {every_steps: 2}\n")


def show(peftw: Peftw, run_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(peftw("runs", "show", run_id, "--json").stdout)
    return answer


def test_an_attached_run_prints_every_event_and_completes(peftw: Peftw, config: Path, home: Path) -> None:
    answer = peftw("run", config, "--json", timeout=600)
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == 0, answer.stderr
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    last = events[-1]
    assert (last["type"], last["run_id"]) == ("completed", "desk-1")
    assert [json.loads(line) for line in (Path(last["directory"]) / "events.jsonl").open()] == events
    assert (home / "runs/desk-1/adapter/adapter_model.safetensors").exists()
    assert (home / "runs/desk-1/adapter.gguf").exists()
    shown = show(peftw, "desk-1")
    assert (shown["state"], shown["step"], shown["total_steps"]) == ("completed", 2, 2)
    assert shown["chat_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct:desk-1"


def test_a_detached_run_outlives_its_launcher_and_stops_when_asked(peftw: Peftw, config: Path) -> None:
    longer(config)
    launched = json.loads(peftw("run", config, "--detach").stdout)
    run = find_run(launched["run_id"])
    assert launched["directory"] == str(run.path)
    wait_until(lambda: show(peftw, run.id)["step"] >= 1)
    second = peftw("run", config)
    assert second.returncode == 1
    assert "run-active" in second.stderr
    assert "peftw runs stop desk-1" in second.stderr
    worker = run.worker()
    assert worker is not None and worker.alive()
    stopped = json.loads(peftw("runs", "stop", run.id, "--json").stdout)
    assert stopped["state"] == "stopped"
    assert (run.path / stopped["checkpoint"] / "manifest.json").exists()
    wait_until(lambda: not worker.alive())


def test_a_killed_worker_is_reported_within_seconds_with_its_checkpoint(peftw: Peftw, config: Path) -> None:
    longer(config)
    run = find_run(json.loads(peftw("run", config, "--detach").stdout)["run_id"])
    wait_until(lambda: show(peftw, run.id)["checkpoint"] is not None)
    worker = run.worker()
    assert worker is not None
    worker.signal(signal.SIGKILL)
    wait_until(lambda: not worker.alive())
    shown = show(peftw, run.id)
    assert (shown["state"], shown["error"]["code"]) == ("failed", "worker-killed")
    final = json.loads(run.events.read_text().splitlines()[-1])
    assert final["type"] == "failed"
    assert final["checkpoint"] == shown["checkpoint"]


def test_ctrl_c_leaves_nothing_running(config: Path, home: Path) -> None:
    longer(config)
    peftw = Path(sys.executable).with_name("peftw")
    process = subprocess.Popen([peftw, "run", config], start_new_session=True, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (home / "runs/desk-1/events.jsonl").exists() and "metric" in _events(home))
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 130
    assert "Traceback" not in said
    run = find_run("desk-1")
    worker: ProcessIdentity | None = run.worker()
    assert worker is not None
    wait_until(lambda: not worker.alive())
    assert run.read_state().state == "stopped"


def _events(home: Path) -> str:
    return (home / "runs/desk-1/events.jsonl").read_text()
