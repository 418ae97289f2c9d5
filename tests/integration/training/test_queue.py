"""Rows F12, F20, F23 with workers that really train: side by side, out of their window, ended with their children."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from peft_daemon.runs import commands
from peft_daemon.runs.processes import MARK, processes_of
from peft_engine.rundir import RunDirectory
from tests.integration.training.workshop import Workshop, events, losses, of, start
from tests.waiting import wait_until

ON_A_CLOCK = """
import os, sys
from datetime import datetime
from pathlib import Path
from peft_engine.training import waiting
from peft_engine.training.endings import REQUEUED
from peft_engine.training.worker import work
waiting._CLOSING_LOOK = 0.05
clock = Path(sys.argv[2])
code = work(Path(sys.argv[1]), clock=lambda: datetime.fromisoformat(clock.read_text()))
if code == REQUEUED:
    os.execv(sys.executable, sys.orig_argv)
sys.exit(code)
"""


def weights(run: RunDirectory) -> bytes:
    return (run.adapter / "adapter_model.safetensors").read_bytes()


def test_F20_runs_side_by_side_come_to_what_each_comes_to_alone(workshop: Workshop, home: Path) -> None:
    (home / "settings.yaml").write_text("slots: {cpu: 3}\n")
    one_thread = {"OMP_NUM_THREADS": "1"}
    alone = workshop.make(training={"max_steps": 30})
    assert start(alone, **one_thread).wait(300) == 0
    first, second = (workshop.make(training={"max_steps": 30}) for _ in range(2))
    failing = workshop.make(datasets=[{"path": "absent.jsonl"}])
    processes = [start(run, **one_thread) for run in (first, second, failing)]
    assert [process.wait(300) for process in processes] == [0, 0, 1]
    for run in (first, second):
        assert losses(run) == losses(alone)
        assert weights(run) == weights(alone)
        assert [event.seq for event in events(run)] == list(range(1, len(events(run)) + 1))
    for run, other in ((first, second), (second, first)):
        assert events(run)[0].time < events(other)[-1].time, "they trained at the same time"
    assert of(failing, "failed")[0].error.code == "dataset-missing"


def test_F23_a_run_whose_window_closes_leaves_its_device_and_all_memory_and_goes_on_later(
    workshop: Workshop, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("2026-11-20 23:00")
    run = workshop.make(
        training={"max_steps": 150}, checkpoint={"every_steps": 1000}, schedule={"window": "22:00-06:00"}
    )
    process = subprocess.Popen([sys.executable, "-c", ON_A_CLOCK, str(run.path), str(clock)], start_new_session=True)
    try:
        wait_until(lambda: len(of(run, "metric")) > 3, process=process)
        clock.write_text("2026-11-21 06:00")
        wait_until(lambda: "2026-11-21 22:00" in (run.read_state().detail or ""), process=process)
        assert (run.read_state().state, run.read_state().pid) == ("queued", process.pid)
        wait_until(lambda: run.read_state().attempt == 2, process=process)
        maps = Path(f"/proc/{process.pid}/maps")
        if maps.exists():
            assert "libtorch" not in maps.read_text(), "what waits holds nothing of what trains"
        left_at = of(run, "metric")[-1].step
        clock.write_text("2026-11-21 22:00")
        assert process.wait(300) == 0
    finally:
        process.kill()
    (resumed,) = of(run, "resumed")
    assert (resumed.step, resumed.attempt) == (left_at, 2)
    assert [event.step for event in of(run, "metric")] == list(range(1, 151))
    assert run.read_state().state == "completed"


def test_F12_force_ends_every_process_of_a_run_and_frees_its_device(workshop: Workshop, home: Path) -> None:
    run = workshop.make(training={"max_steps": 100_000}, checkpoint={"every_steps": 100_000})
    worker = start(run, **{MARK: str(run.path)})
    wait_until(lambda: of(run, "metric"), process=worker)
    # One that leads a session of its own, as those of some launchers do, and whose parent is gone.
    orphan = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
    parent = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {orphan!r}]); sys.exit()"
    environment = {**os.environ, MARK: str(run.path)}
    said = subprocess.Popen([sys.executable, "-c", parent], env=environment, stdout=subprocess.PIPE, text=True)
    assert said.stdout is not None
    stray = psutil.Process(int(said.stdout.readline()))
    said.wait(60)
    assert {process.pid for process in processes_of(run)} == {worker.pid, stray.pid}
    commands.kill(run, patience=0.2)
    assert processes_of(run) == []
    assert run.read_state().state == "stopped"
    assert worker.wait(60) != 0
    again = workshop.make(training={"max_steps": 2})
    assert start(again).wait(300) == 0, "the device and the files are free"
