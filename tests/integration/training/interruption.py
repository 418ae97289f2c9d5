"""Interrupting a run at chosen steps, going on with it, and laying the outcome beside that of a run left alone."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from peft_engine.files import sha256
from peft_engine.queue.line import enqueue
from peft_engine.rundir import RunDirectory
from peft_engine.training.reporter import Reporter
from peft_engine.training.worker import work
from peft_schemas.events import ControlFile
from tests.integration.training.workshop import events


class PowerCut(BaseException):
    """The worker's end at a moment when nothing is saved."""


def go_on(run: RunDirectory) -> None:
    """Put a run back into the queue and do it, as `resume` has a worker do."""
    state = run.read_state()
    run.write_control(ControlFile())
    enqueue(run, state.model_copy(update={"attempt": state.attempt + 1, "error": None}))
    work(run.path)


def interrupted(
    run: RunDirectory,
    *,
    pauses: Collection[int] = (),
    crashes: Collection[int] = (),
    between: Callable[[RunDirectory], object] = lambda _: None,
) -> None:
    """Do a run to its end, with a pause at the edge of some steps and a crash in others, each once.

    Args:
        run: A run that waits.
        pauses: Steps at whose end it is paused.
        crashes: Steps in which it dies.
        between: What is done to the run before it goes on.
    """
    pending_pauses, pending_crashes = set(pauses), set(crashes)
    at_end, at_begin = Reporter.on_step_end, Reporter.on_step_begin

    def on_step_end(self: Reporter, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        if state.global_step in pending_pauses:
            pending_pauses.discard(state.global_step)
            run.write_control(ControlFile(command="pause"))
        return at_end(self, args, state, control, **rest)

    def on_step_begin(self: Reporter, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        if state.global_step + 1 in pending_crashes:
            pending_crashes.discard(state.global_step + 1)
            raise PowerCut
        return at_begin(self, args, state, control, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reporter, "on_step_end", on_step_end)
        patch.setattr(Reporter, "on_step_begin", on_step_begin)
        work(run.path)
        while run.read_state().state in {"paused", "failed"}:
            error = run.read_state().error
            assert error is None or error.message.endswith("PowerCut."), error
            between(run)
            go_on(run)


def series(run: RunDirectory) -> dict[str, dict[int, dict[str, float | None]]]:
    """Return what was measured at each step; of a step that was done twice, what was said last."""
    measured: dict[str, dict[int, dict[str, float | None]]] = {"metric": {}, "evaluation": {}}
    for event in events(run):
        if event.type == "resumed":
            for steps in measured.values():
                for step in [step for step in steps if step > event.step]:
                    del steps[step]
        elif event.type in measured:
            # The time and the memory that a step takes are another each time.
            measured[event.type][event.step] = {
                name: value
                for name, value in event.values.items()
                if name in {"loss", "learning_rate", "grad_norm", "tokens", "examples"}
            }
    return measured


def weights(run: RunDirectory) -> dict[str, str]:
    """Return the hash of every file of weights in the run's result."""
    files = [*run.adapter.glob("*.safetensors"), *run.model.glob("*.safetensors")]
    return {file.relative_to(run.path).as_posix(): sha256(Path(file)) for file in files}
