"""Laying out runs and waiting for what becomes of them."""

import signal
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from peft_daemon.runs.judge import settle
from peft_daemon.runs.worker import start_worker
from peft_engine.queue.line import enqueue
from peft_engine.rundir import EventTail, RunDirectory, create_run_directory
from peft_engine.rundir.lay_out import lay_out
from peft_schemas.config import RunConfig
from peft_schemas.events import LAST_WORDS, LEGAL_MOVES, RESTING_STATES, AnyEvent, RunState, StateFile
from tests.waiting import wait_until


def launch(nurse: Path, *, name: str = "demo", **schedule: object) -> RunDirectory:
    """Do what a launcher does after it has checked a config."""
    config = RunConfig.model_validate(
        {
            "version": 1,
            "name": name,
            "model": {"base": "org/base"},
            "datasets": [{"path": "a.jsonl"}],
            "compute": {"device": "cpu"},
            "schedule": schedule,
        }
    )
    run = create_run_directory(name)
    enqueue(run, lay_out(run, config, run.source))
    start_worker(run, nurse)
    return run


def wait_for(run: RunDirectory, *states: RunState) -> StateFile:
    """Wait for a run to be in one of some states."""
    wait_until(lambda: settle(run).state in states, lambda: f"{run.id} is {settle(run)} and not {states}")
    return run.read_state()


def end(runs: Sequence[RunDirectory]) -> None:
    """Leave no worker behind, those included that have yet to come."""

    def has_ended(run: RunDirectory) -> bool:
        if settle(run).state in RESTING_STATES:
            return True
        worker = run.worker()
        if worker is not None:
            worker.signal(signal.SIGKILL)
        return False

    wait_until(lambda: all(has_ended(run) for run in runs))


def finish(run: RunDirectory) -> None:
    """Let a run that computes complete."""
    (run.path / "finish").touch()


def path_of(events: list[AnyEvent]) -> list[RunState]:
    """Return the states that a run's events say it went through, each once as long as it lasted."""
    states: list[RunState] = ["queued"]
    for event in events:
        entered: RunState | None = None
        if event.type == "state":
            entered = event.state
        elif event.type == "paused" or isinstance(event, LAST_WORDS):
            entered = event.type
        if entered is not None and entered != states[-1]:
            states.append(entered)
    return states


def assert_truthful(run: RunDirectory) -> None:
    """Check that a run's log has no gap and no illegal move, and that its state is where the log ends."""
    events = EventTail(run.events).read()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    path = path_of(events)
    for before, after in pairwise(path):
        assert after in LEGAL_MOVES[before], (run.id, path)
    assert run.read_state().state == path[-1], (run.id, path)
