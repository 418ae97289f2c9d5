"""Rows F8 and F21: real workers and real commands against a model of the queue. Only the training is left out."""

import os
import random
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from peft_daemon.runs import commands
from peft_daemon.runs.judge import settle
from peft_engine.rundir import RunDirectory
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import FINAL_STATES, RunState
from peft_schemas.runs import QueueMove
from tests.integration.queue.runs import assert_truthful, end, finish, launch, wait_until
from tests.property.strategies import examples

WHICH = st.integers(0, 100)


class Queue(RuleBasedStateMachine):
    """A queue of a few slots. After each thing that is done, every run must be where the model says, and stay there."""

    nurse: Path

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="queue-"))
        os.environ["PEFTW_HOME"] = str(self.home)
        self.runs: list[RunDirectory] = []
        self.states: dict[str, RunState] = {}
        self.priorities: dict[str, int] = {}
        self.line: list[tuple[int, str]] = []
        """Rank and id of the runs that wait, in the order in which they will go."""

    @initialize(limit=st.integers(1, 3))
    def set_limit(self, limit: int) -> None:
        self.limit = limit
        (self.home / "limit").write_text(str(limit))
        (self.home / "settings.yaml").write_text(f"slots: {{cpu: {limit}}}\n")

    @rule(priority=st.integers(-1, 1))
    def launch(self, priority: int) -> None:
        run = launch(self.nurse, priority=priority)
        self.runs.append(run)
        self.priorities[run.id] = priority
        self.join(run)

    @precondition(lambda self: self.runs)
    @rule(which=WHICH)
    def pause(self, which: int) -> None:
        self.command(which, commands.pause, "paused", without_effect=("paused",))

    @precondition(lambda self: self.runs)
    @rule(which=WHICH)
    def stop(self, which: int) -> None:
        self.command(which, commands.stop, "stopped", without_effect=tuple(FINAL_STATES))

    @precondition(lambda self: self.runs)
    @rule(which=WHICH, remove=st.booleans())
    def cancel(self, which: int, remove: bool) -> None:
        self.command(which, partial(commands.cancel, remove=remove), "cancelled", without_effect=("cancelled",))

    @precondition(lambda self: self.runs)
    @rule(which=WHICH)
    def resume(self, which: int) -> None:
        run = self.runs[which % len(self.runs)]
        if self.states[run.id] in ("paused", "stopped", "failed"):
            commands.resume(run, python=str(self.nurse))
            self.join(run)
        else:
            with pytest.raises(WorkbenchError, match="cannot be resumed"):
                commands.resume(run, python=str(self.nurse))

    @precondition(lambda self: self.runs)
    @rule(which=WHICH, to=st.sampled_from(["first", "up", "down", "last"]))
    def move(self, which: int, to: QueueMove) -> None:
        run = self.runs[which % len(self.runs)]
        if self.states[run.id] != "queued":
            with pytest.raises(WorkbenchError, match="no place among the runs that wait"):
                commands.move_in_queue(run, to)
            return
        at = [run_id for _, run_id in self.line].index(run.id)
        rank, _ = self.line.pop(at)
        goal = {"first": 0, "up": max(at - 1, 0), "down": min(at + 1, len(self.line)), "last": len(self.line)}[to]
        if goal != at:
            rank, _ = self.line[goal if goal < at else goal - 1]
        self.line.insert(goal, (rank, run.id))
        assert commands.move_in_queue(run, to) == [run_id for _, run_id in self.line]

    @precondition(lambda self: self.having("queued", "running"))
    @rule(which=WHICH)
    def kill_worker(self, which: int) -> None:
        run = self.one_of(which, "queued", "running")
        worker = run.worker()
        assert worker is not None
        worker.signal(signal.SIGKILL)
        self.leave(run, "failed")

    @precondition(lambda self: self.having("running"))
    @rule(which=WHICH)
    def complete(self, which: int) -> None:
        run = self.one_of(which, "running")
        finish(run)
        self.leave(run, "completed")

    @invariant()
    def every_run_is_where_the_model_says(self) -> None:
        wait_until(self.as_expected, lambda: (self.states, {run.id: settle(run).state for run in self.runs}))
        assert not (self.home / "too-many").exists()

    def as_expected(self) -> bool:
        # A queued run's worker must have come too, or there is nothing to kill.
        return all(
            settle(run).state == self.states[run.id] and (self.states[run.id] != "queued" or run.worker() is not None)
            for run in self.runs
        )

    def command(self, which: int, do: object, to: RunState, without_effect: tuple[str, ...]) -> None:
        run = self.runs[which % len(self.runs)]
        state = self.states[run.id]
        if state in without_effect:
            do(run)  # type: ignore[operator]
        elif state in FINAL_STATES:
            with pytest.raises(WorkbenchError, match=f"is {state}, so it cannot be {to}"):
                do(run)  # type: ignore[operator]
        else:
            do(run)  # type: ignore[operator]
            self.leave(run, to)

    def join(self, run: RunDirectory) -> None:
        rank = -self.priorities[run.id]
        self.line.insert(sum(other <= rank for other, _ in self.line), (rank, run.id))
        self.states[run.id] = "queued"
        self.promote()

    def leave(self, run: RunDirectory, state: RunState) -> None:
        self.states[run.id] = state
        self.line = [place for place in self.line if place[1] != run.id]
        self.promote()

    def promote(self) -> None:
        """Give free slots to the highest priority, and among equals to who came first, or as people moved them."""
        while self.line and len(self.having("running")) < self.limit:
            self.states[self.line.pop(0)[1]] = "running"

    def having(self, *states: RunState) -> list[RunDirectory]:
        return [run for run in self.runs if self.states[run.id] in states]

    def one_of(self, which: int, *states: RunState) -> RunDirectory:
        runs = self.having(*states)
        return runs[which % len(runs)]

    def teardown(self) -> None:
        end(self.runs)
        for run in self.runs:
            assert_truthful(run)


def test_F8_F21_the_queue_does_what_its_model_does(nurse: Path, home: Path) -> None:
    Queue.nurse = nurse
    run_state_machine_as_test(Queue, settings=settings(examples(8), stateful_step_count=14))  # type: ignore[no-untyped-call]
    os.environ["PEFTW_HOME"] = str(home)


@pytest.mark.parametrize("limit", [1, 2])
def test_F8_F21_commands_from_all_sides_at_once_break_nothing(nurse: Path, home: Path, limit: int) -> None:
    (home / "limit").write_text(str(limit))
    (home / "settings.yaml").write_text(f"slots: {{cpu: {limit}}}\n")
    runs = [launch(nurse, priority=number % 3) for number in range(6)]

    def somebody(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            run = chance.choice(runs)
            with suppress(WorkbenchError):
                match chance.choice(["pause", "stop", "cancel", "resume", "resume", "resume", "kill", "end"]):
                    case "pause":
                        commands.pause(run)
                    case "stop":
                        commands.stop(run)
                    case "cancel":
                        commands.cancel(run, patience=5)
                    case "resume":
                        commands.resume(run, python=str(nurse))
                    case "kill":
                        commands.kill(run, patience=0.05)
                    case "end":
                        if (worker := run.worker()) is not None:
                            worker.signal(signal.SIGKILL)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(somebody, range(limit, limit + 4)))
    assert not (home / "too-many").exists()
    end(runs)
    for run in runs:
        assert_truthful(run)
