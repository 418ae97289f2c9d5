"""Rows F15 and G1: worker, daemon, or both at once are killed at random moments of a run that an editor follows.

The daemon is the real one, spoken to as editors do, and the workers really train. `PEFTW_CRASH=100` does that many
runs, with new moments each time; without it a few, the same each time.
"""

import fcntl
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from peft_daemon.runs.judge import settle
from peft_engine.home import queue_dir, slots_dir
from peft_engine.rundir import RunDirectory, find_run
from peft_schemas.events import RESTING_STATES
from tests.integration.nursery import nursery
from tests.integration.training.crashes import PRELOADED, newest_announced
from tests.integration.training.interruption import weights
from tests.integration.training.mortal_editor import MortalEditor
from tests.integration.training.workshop import Workshop, events
from tests.waiting import wait_until

TRIALS = int(os.environ.get("PEFTW_CRASH", "0"))
pytestmark = pytest.mark.timeout(0 if TRIALS else 900)

DEATHS = 3
"""Of one run, before it is left to end."""

CONFIG = {
    "version": 1,
    "name": "demo",
    "method": {"type": "lora", "r": 4, "dropout": 0.1},
    "training": {
        "max_steps": 6,
        "batch_size": 3,
        "learning_rate": 0.01,
        "precision": "float32",
        "packing": True,
        "max_length": 128,
    },
    "checkpoint": {"every_steps": 1, "keep": 2},
    "compute": {"device": "cpu"},
}


@pytest.fixture
def config(workshop: Workshop) -> Path:
    path = workshop.folder / "demo.peft.yaml"
    sections = {**CONFIG, "model": {"base": workshop.base}, "datasets": [{"path": "train.jsonl"}]}
    path.write_text(json.dumps(sections, indent=1))
    return path


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with nursery(tmp_path_factory.mktemp("nursery"), "tests.integration.training.crashes:train", PRELOADED) as python:
        yield python


def let_go_on(run: RunDirectory, count: int, seconds: float) -> None:
    """Wait for so many events and a little, whatever the machine's speed, or for the run to rest."""
    moment = len(events(run)) + count
    wait_until(lambda: len(events(run)) >= moment or settle(run).state in RESTING_STATES)
    time.sleep(seconds)


def assert_nothing_is_held(home: Path) -> None:
    """See that no lock of a run, of the queue or of a device is held by anybody, and that nobody waits."""
    for lock in home.rglob("*.lock"):
        with lock.open() as file:
            wait_until(lambda file=file: _takes(file.fileno()))
    assert [path.name for path in queue_dir().iterdir() if not path.name.startswith(".")] == []
    assert list(slots_dir().glob("cpu-*.lock")), "the slots were looked at"


def _takes(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_F15_G1_a_run_outlives_the_deaths_of_its_daemons_and_workers_and_nothing_of_it_is_told_twice_or_never(
    config: Path, python: Path, home: Path
) -> None:
    seed = random.SystemRandom().randrange(2**32) if TRIALS else 11
    print(f"seed {seed}")
    chance, deaths = random.Random(seed), {"worker": 0, "daemon": 0}
    editor = MortalEditor(python)
    editor.start(config)
    wait_until(lambda: editor.state() == "completed")
    expected, length = weights(find_run(editor.run_id)), len(events(find_run(editor.run_id)))
    for trial in range(TRIALS or 2):
        editor.start(config)
        run, acknowledged = find_run(editor.run_id), 0
        for _ in range(DEATHS):
            let_go_on(run, chance.randrange(length), chance.uniform(0, 0.05))
            for victim in chance.choice([("worker",), ("daemon",), ("worker", "daemon")]):
                if victim == "daemon":
                    editor.lose_daemon()
                    deaths[victim] += 1
                elif (worker := run.worker()) is not None:
                    deaths[victim] += worker.signal(signal.SIGKILL)
            assert newest_announced(run) >= acknowledged
            acknowledged = newest_announced(run)
            if editor.state() == "failed":
                assert run.read_state().error.code == "worker-killed", run.log.read_text()
                dies = chance.random() < 0.3
                editor.resume(killed_after=chance.uniform(0, 0.3) if dies else None)
                deaths["daemon"] += dies
        while editor.state() != "completed":
            if editor.state() in RESTING_STATES:
                editor.resume()
            time.sleep(0.1)
        assert weights(run) == expected
        told = [event.model_dump(mode="json") for event in events(run)]
        wait_until(lambda told=told: editor.state() and editor.received[-1]["seq"] == told[-1]["seq"])
        assert editor.received == told
        assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
        assert not run.worker().alive()
        print(f"{deaths} in {trial + 1} runs", flush=True)
    assert deaths["worker"] and deaths["daemon"]
    assert_nothing_is_held(home)
    editor.end()
