"""Workers and commands that die at random moments, disks that fill, files that are damaged, clocks that jump.

`PEFTW_CRASH=300` tries that many deaths, new ones each time; without it a few, the same each time.
"""

import os
import random
import shutil
import subprocess
import time
from typing import NamedTuple

import pytest

from peft_daemon.runs.judge import settle
from peft_daemon.runs.resume import resume
from peft_schemas.errors import WorkbenchError
from tests.integration.training.crashes import (
    NOBODY,
    Mortals,
    fork_server,
    newest_announced,
    train,
    train_under_a_jumping_clock,
)
from tests.integration.training.interruption import series, weights
from tests.integration.training.workshop import events, of

TRIALS = int(os.environ.get("PEFTW_CRASH", "0"))
pytestmark = pytest.mark.timeout(0 if TRIALS else 900)

DEATHS = 3
"""Of one run, before it is left to end."""

CONFIGS = {
    "lora": {
        "method": {"type": "lora", "r": 4, "dropout": 0.1},
        "training": {"max_steps": 6, "batch_size": 3, "packing": True, "max_length": 128},
        "evaluation": {"split": 0.2, "every_steps": 2},
        "checkpoint": {"every_steps": 1, "keep": 2, "load_best": True},
    },
    "full": {
        "method": {"type": "full"},
        "training": {"max_steps": 5, "gradient_accumulation_steps": 2, "optimizer": "adafactor"},
        "checkpoint": {"every_steps": 2, "keep": 1},
    },
    "pissa": {"method": {"type": "pissa", "r": 4}, "checkpoint": {"every_steps": 1, "keep": 3}},
}


def trials(few):
    return range(TRIALS or few)


@pytest.fixture
def chance():
    seed = random.SystemRandom().randrange(2**32) if TRIALS else 7
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def forks():
    return fork_server()


@pytest.fixture
def mortals(forks, chance, home):
    return Mortals(forks, chance, home)


class Alone(NamedTuple):
    """What a run comes to that nobody interrupts."""

    weights: dict[str, str]
    series: dict[str, dict[int, dict[str, float | None]]]
    seconds: float


@pytest.fixture
def left_alone(workshop, mortals):
    """What each config comes to, worked out when first asked for."""
    known = {}

    def reference(name):
        if name not in known:
            run = workshop.make(**CONFIGS[name])
            began = time.monotonic()
            assert not mortals.live(train, run)
            assert settle(run).state == "completed", run.log.read_text()
            known[name] = Alone(weights(run), series(run), time.monotonic() - began)
        return known[name]

    # The first one also starts the server, which takes its time.
    reference("lora")
    known.clear()
    return reference


def check_truth(run, killed):
    """See that what is said of a run is so, and return its state."""
    state = settle(run)
    every = events(run)
    assert [event.seq for event in every] == list(range(1, len(every) + 1))
    if state.state == "queued":
        assert killed
        assert state.pid is None
    elif state.state == "failed":
        assert killed, f"{state.error}\n{run.log.read_text()}"
        assert state.error.code == "worker-killed"
        assert every[-1].type == "failed"
        assert every[-1].error == state.error
    else:
        assert state.state == every[-1].type == "completed"
        assert run.read_manifest()
    return state


def test_F9_F14_F15_a_run_whose_processes_are_killed_comes_to_the_same_end(workshop, mortals, chance, left_alone):
    deaths = 0
    kinds = sorted(CONFIGS)
    for trial in trials(3):
        kind = kinds[trial % len(kinds)]
        expected = left_alone(kind)
        run = workshop.make(**CONFIGS[kind])
        acknowledged = 0
        for attempt in range(1, DEATHS + 2):
            limit = None if attempt > DEATHS else chance.uniform(0, 1.1 * expected.seconds)
            killed = mortals.live(train, run, limit)
            deaths += killed
            assert all(event.step >= acknowledged for event in of(run, "resumed")[-1:] if event.attempt == attempt)
            acknowledged = newest_announced(run)
            if check_truth(run, killed).state == "completed":
                break
            mortals.resume(run)
        assert settle(run).state == "completed"
        assert (weights(run), series(run)) == (expected.weights, expected.series)
        shutil.rmtree(run.path)
        print(f"{deaths} deaths in {trial + 1} runs", flush=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_F9_a_run_whose_disk_fills_at_random_goes_on_when_there_is_room(workshop, home, mortals, chance, left_alone):
    expected = left_alone("full").weights
    runs = home / "runs"
    for _ in trials(1):
        size = chance.randrange(96, 600)
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(runs)], capture_output=True, check=False
        ).returncode:
            pytest.skip("this machine does not let a disk be mounted")
        try:
            run = workshop.make(**CONFIGS["full"])
            assert not mortals.live(train, run)
            state = settle(run)
            if state.state == "failed":
                assert state.error.code in {"disk-full", "worker-killed"}, run.log.read_text()
                acknowledged = newest_announced(run)
                subprocess.run(["mount", "-o", "remount,size=64m", str(runs)], check=True)
                resume(run, python=NOBODY, accept_changes=True)
                assert not mortals.live(train, run)
                assert of(run, "resumed")[-1].step >= acknowledged
            assert settle(run).state == "completed", run.log.read_text()
            assert weights(run) == expected
            print(f"{size} kB: {state.state}, then completed", flush=True)
        finally:
            subprocess.run(["umount", "-l", str(runs)], check=False)


def damage(chance, path):
    """Cut a file short, empty it, or turn one bit of it, and say which."""
    content = bytearray(path.read_bytes())
    kind = chance.choice(["cut", "emptied", "turned"]) if content else "emptied"
    if kind == "cut":
        del content[chance.randrange(len(content)) :]
    elif kind == "emptied":
        content.clear()
    else:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return kind


def test_F9_a_damaged_file_is_never_trained_on(workshop, mortals, chance, left_alone):
    """Any file of a run whose worker was killed: either the run comes to the same end, or it says what is broken."""
    outcomes = {"same": 0, "told": 0}
    for trial in trials(2):
        kind = sorted(CONFIGS)[trial % len(CONFIGS)]
        expected = left_alone(kind)
        run = workshop.make(**CONFIGS[kind])
        if not mortals.live(train, run, chance.uniform(0.4, 1) * expected.seconds):
            continue
        settle(run)
        hurt = chance.choice(sorted(file for file in run.path.rglob("*") if file.is_file() and file != run.log))
        done = damage(chance, hurt)
        where = f"{hurt.relative_to(run.path)} {done}"
        try:
            state = settle(run)
            if state.state in {"failed", "stopped"}:
                resume(run, python=NOBODY, accept_changes=True)
                mortals.live(train, run)
                state = settle(run)
        except WorkbenchError as error:
            assert error.code in {"config-invalid", "config-missing"}, where
            outcomes["told"] += 1
            continue
        if state.state == "completed":
            assert weights(run) == expected.weights, where
            outcomes["same"] += 1
        elif state.state == "failed":
            assert state.error.code in {"config-invalid", "config-missing"}, f"{where}: {state.error}"
            outcomes["told"] += 1
        else:
            raise AssertionError(f"{where}: {state}")
        print(where, outcomes, flush=True)


def test_F14_a_run_lives_through_a_clock_that_jumps(workshop, mortals, left_alone):
    expected = left_alone("lora")
    run = workshop.make(**CONFIGS["lora"])
    mortals.live(train_under_a_jumping_clock, run, 0.7 * expected.seconds)
    # On a machine whose other work has ended meanwhile, the run is done before it is killed.
    if settle(run).state != "completed":
        mortals.resume(run)
        assert not mortals.live(train_under_a_jumping_clock, run)
    assert settle(run).state == "completed", run.log.read_text()
    assert [event.seq for event in events(run)] == list(range(1, len(events(run)) + 1))
    times = [event.time for event in events(run)]
    assert times != sorted(times), "the clock did jump"
    assert weights(run) == expected.weights
