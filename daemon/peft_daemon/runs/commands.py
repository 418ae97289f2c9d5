"""What people do with a run, whichever way they say it: the command line, the editor and HTTP call these and no others.

A run whose worker lives is asked through `control.json`, and the worker has the word. For a run that rests, nobody else
can speak, so its last word is written here.
"""

import shutil
import sys
from typing import Literal

from peft_daemon.runs.judge import settle
from peft_daemon.runs.processes import end_processes, processes_of
from peft_daemon.runs.resume import resume as resume_run
from peft_engine.queue.line import line
from peft_engine.rundir import EventLog, EventTail, RunDirectory
from peft_engine.rundir.checkpoints import last_verified_checkpoint
from peft_engine.rundir.lock import speaking_for
from peft_engine.rundir.moves import illegal, move
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import (
    FINAL_STATES,
    LAST_WORDS,
    LEGAL_MOVES,
    AnomalyEvent,
    CancelledEvent,
    ControlFile,
    MetricEvent,
    PausedEvent,
    RecoveryAction,
    RecoveryEvent,
    RecoveryRequest,
    ResumedEvent,
    RunState,
    StateEvent,
    StateFile,
    StoppedEvent,
)
from peft_schemas.runs import QueueMove

Ending = Literal["stopped", "cancelled"]
_COMMAND: dict[RunState, Literal["pause", "stop", "cancel"]] = {
    "paused": "pause",
    "stopped": "stop",
    "cancelled": "cancel",
}
_RANK = {"run": 0, "pause": 1, "stop": 2, "cancel": 3}
"""A wish gives way only to one that goes further."""


def pause(run: RunDirectory) -> None:
    """Have the run rest at its next step edge, after a checkpoint; one that waits rests at once.

    Raises:
        WorkbenchError: It has ended, or is about to (`move-illegal`).
    """
    settle(run)
    with speaking_for(run):
        state = run.read_state()
        if state.state != "paused":
            _ask(run, state, "paused")


def stop(run: RunDirectory) -> None:
    """Have the run end at its next step edge, after a checkpoint; a run that has ended stays as it is.

    Raises:
        WorkbenchError: It was cancelled a moment ago (`move-illegal`).
    """
    if settle(run).state in FINAL_STATES:
        return
    with speaking_for(run):
        state = run.read_state()
        if state.state == "paused":
            _end(run, state, "stopped")
        elif state.state not in FINAL_STATES:
            _ask(run, state, "stopped")


def cancel(run: RunDirectory, *, remove: bool = False, patience: float = 10.0) -> None:
    """Give the run up: no further checkpoint is written.

    Args:
        run: The run.
        remove: Remove its checkpoints too.
        patience: Seconds that its worker gets to end by itself.

    Raises:
        WorkbenchError: It has ended in another way (`move-illegal`).
    """
    if settle(run).state == "cancelled":
        return
    with speaking_for(run):
        state = run.read_state()
        if state.state == "paused":
            _end(run, state, "cancelled", remove=remove)
            return
        _ask(run, state, "cancelled", remove=remove)
    end_processes(run, state.attempt, patience=patience, politely=False)
    _end_if_silent(run, state.attempt, "cancelled", remove=remove)


def kill(run: RunDirectory, *, patience: float = 10.0) -> None:
    """Stop the run without waiting for a step edge; its last checkpoint stays.

    Args:
        run: The run.
        patience: Seconds between the polite signal and the one that cannot be refused.
    """
    attempt = settle(run).attempt
    end_processes(run, attempt, patience=patience, politely=True)
    _end_if_silent(run, attempt, "stopped")


def resume(run: RunDirectory, *, python: str = sys.executable, accept_changes: bool = False) -> None:
    """Put a run that rests back into the queue. See `peft_daemon.runs.resume`."""
    resume_run(run, python=python, accept_changes=accept_changes)


def move_in_queue(run: RunDirectory, to: QueueMove) -> list[str]:
    """Give a run that waits another place in the queue. See `peft_engine.queue.line.Line.move`.

    Returns:
        The ids of the runs that wait, in the order in which they will go.

    Raises:
        WorkbenchError: The run does not wait (`move-illegal`).
    """
    settle(run)
    with line() as queue:
        return queue.move(run, to)


def recover(
    run: RunDirectory, action: RecoveryAction, *, anomaly: str | None = None, undoes: str | None = None
) -> RecoveryRequest:
    """Ask the worker to do something about an anomaly, or to take such a thing back.

    Args:
        run: The run.
        action: What to do.
        anomaly: About which anomaly; None for the newest that proposes the action.
        undoes: For `undo`, which recovery to take back; None for the newest.

    Returns:
        What was asked; the run's `recovery` event will have its id.

    Raises:
        WorkbenchError: The run does not train, or has no such anomaly or recovery (`move-illegal`).
    """
    settle(run)
    with speaking_for(run):
        state = run.read_state()
        if state.state not in ("preparing", "running", "stopping"):
            raise WorkbenchError(
                "move-illegal",
                f"Run {run.id} is {state.state}, so nothing can be done about its training now.",
                f"Resume it first: `peftw runs resume {run.id}`."
                if "queued" in LEGAL_MOVES[state.state]
                else "Run its config again with other settings.",
            )
        control = run.read_control()
        if action == "undo":
            undoes = _recovery(run, undoes)
        else:
            anomaly = _anomaly(run, action, anomaly)
        # A resume begins with an empty control file, and the worker does each id once.
        identity = f"person-{state.attempt}-{len(control.recoveries) + 1}"
        request = RecoveryRequest(id=identity, action=action, anomaly=anomaly, undoes=undoes)
        run.write_control(control.model_copy(update={"recoveries": [*control.recoveries, request]}))
    return request


def recoveries(run: RunDirectory) -> list[RecoveryEvent]:
    """Return what was done about a run, oldest first."""
    return [event for event in EventTail(run.events).read() if isinstance(event, RecoveryEvent)]


def _ask(run: RunDirectory, state: StateFile, to: RunState, *, remove: bool = False) -> None:
    """Write to the worker what it is to do. The state says whether it can; `stopping` may become any of them."""
    if state.state in FINAL_STATES or to not in LEGAL_MOVES[state.state] | LEGAL_MOVES["stopping"]:
        raise illegal(state, to)
    control, command = run.read_control(), _COMMAND[to]
    if _RANK[control.command] > _RANK[command]:
        raise WorkbenchError(
            "move-illegal",
            f"Run {run.id} was told to {control.command} already, so it cannot {command}.",
            f"Wait until it rests or has ended: `peftw runs show {run.id}`.",
        )
    run.write_control(ControlFile(command=command, remove=remove, recoveries=control.recoveries))


def _end_if_silent(run: RunDirectory, attempt: int, ending: Ending, *, remove: bool = False) -> None:
    """Say how a run ended whose processes were ended, if its worker did not say so itself."""
    with speaking_for(run):
        state = run.read_state()
        # Another may have resumed it since, or a process may have withstood: both will speak for themselves.
        if state.attempt == attempt and state.state not in FINAL_STATES and not processes_of(run):
            events = EventTail(run.events).read()
            if state.state == "paused" or not (events and isinstance(events[-1], (*LAST_WORDS, PausedEvent))):
                _end(run, state, ending, remove=remove)
    # A last word that did not get into the state any more is the judge's work.
    settle(run)


def _end(run: RunDirectory, state: StateFile, ending: Ending, *, remove: bool = False) -> None:
    """Write the last word of a run that has no worker. The caller speaks for the run."""
    said = reversed(EventTail(run.events).read())
    step = next((event.step for event in said if isinstance(event, (MetricEvent, ResumedEvent))), state.step)
    with EventLog(run.events) as log:
        if ending not in LEGAL_MOVES[state.state]:
            log.append(StateEvent, state="stopping")
            state = move(state, "stopping")
        ended = move(state, ending, step=step, detail=None)
        identity = {"run_id": run.id, "directory": str(run.path), "step": step}
        if ending == "cancelled":
            if remove:
                shutil.rmtree(run.checkpoints, ignore_errors=True)
            log.append(CancelledEvent, **identity, removed=remove)
        else:
            log.append(StoppedEvent, **identity, checkpoint=last_verified_checkpoint(run))
    run.write_state(ended)


def _anomaly(run: RunDirectory, action: RecoveryAction, wanted: str | None) -> str:
    """Return the newest anomaly that proposes an action, or the one that is wanted if it does."""
    for event in reversed(EventTail(run.events).read()):
        if isinstance(event, AnomalyEvent) and wanted in (None, event.id):
            if any(proposed.action == action for proposed in event.actions):
                return event.id
            if wanted is not None:
                proposed = ", ".join(proposal.action for proposal in event.actions)
                raise WorkbenchError(
                    "move-illegal", f"{action} is not proposed about anomaly {wanted}.", f"Choose one of: {proposed}."
                )
    raise WorkbenchError(
        "move-illegal",
        f"Run {run.id} has no anomaly {wanted or f'that proposes {action}'}.",
        f"See what is wrong with it: `peftw runs show {run.id}`.",
    )


def _recovery(run: RunDirectory, wanted: str | None) -> str:
    """Return the newest recovery that changed something and was not taken back, or the wanted one if it is such."""
    done = recoveries(run)
    undone = {event.undoes for event in done}
    for event in reversed(done):
        changed = event.action not in ("pause", "stop", "undo")
        if changed and event.id not in undone and wanted in (None, event.id):
            return event.id
    raise WorkbenchError(
        "move-illegal",
        f"Run {run.id} has no recovery {wanted or ''} that could be taken back.".replace("  ", " "),
        f"See what was done to it: `peftw runs show {run.id}`.",
    )
