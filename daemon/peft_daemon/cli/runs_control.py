"""`peftw runs pause|resume|stop|cancel|move|recover`: what can be done with a run."""

import sys
import time
from collections.abc import Callable
from typing import Annotated, TypeGuard

import typer

from peft_daemon.cli.output import FAILURE, err, finish, out, print_json, show_error
from peft_daemon.cli.runs_words import Json, RunId, changes_of, state_of
from peft_daemon.runs import commands
from peft_daemon.runs.follow import summarise
from peft_daemon.runs.resume import ResumeChanged
from peft_engine.rundir import EventTail, RunDirectory, find_run
from peft_schemas.events import RESTING_STATES, AnyEvent, LogEvent, RecoveryAction, RecoveryEvent, RecoveryRequest
from peft_schemas.runs import ChangedInput, QueueMove, RunMoveResult, RunResumeResult, RunSummary

_INTERVAL = 0.2
"""Seconds between two looks at the run."""

Wait = Annotated[float, typer.Option(help="Seconds to wait until it is done.", min=0)]


def pause(run_id: RunId, wait: Wait = 120.0, json: Json = False) -> None:
    """Pause a run at its next step edge, after a checkpoint; one that waits rests at once."""
    run = find_run(run_id)
    commands.pause(run)
    _tell_when_resting(run, wait, json=json, asked="was asked to pause and is finishing its step")


def stop(
    run_id: RunId,
    force: Annotated[bool, typer.Option("--force", help="End the worker at once; only its checkpoints stay.")] = False,
    wait: Wait = 120.0,
    json: Json = False,
) -> None:
    """Stop a run at its next step edge, after a checkpoint. It can be resumed."""
    run = find_run(run_id)
    if force:
        commands.kill(run)
    else:
        commands.stop(run)
    _tell_when_resting(
        run, wait, json=json, asked="was asked to stop and is finishing its step; `--force` does not wait"
    )


def cancel(
    run_id: RunId,
    remove: Annotated[bool, typer.Option("--remove", help="Remove its checkpoints too.")] = False,
    json: Json = False,
) -> None:
    """Give a run up at once. It cannot be resumed."""
    run = find_run(run_id)
    if remove and not json and sys.stdin.isatty():
        typer.confirm(f"Remove all checkpoints of {run.id}?", abort=True, err=True)
    commands.cancel(run, remove=remove)
    _tell(summarise(run), json=json)


def resume(
    run_id: RunId,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on although its config, data, base or packages changed.")
    ] = False,
    json: Json = False,
    python: Annotated[
        str, typer.Option(help="The interpreter that trains.", envvar="PEFTW_PYTHON", show_default=False)
    ] = sys.executable,
) -> None:
    """Put a run that was paused, was stopped, or failed back into the queue."""
    run = find_run(run_id)
    try:
        commands.resume(run, python=python, accept_changes=accept_changes)
    except ResumeChanged as changed:
        if json:
            print_json(RunResumeResult(run=None, changes=changed.changes, error=changed.report()))
        else:
            show_error(changed.report())
            for change in changed.changes:
                err.print(f"  {change.what} {change.name}: {_said(change)}", markup=False)
        finish(FAILURE)
    summary = summarise(run)
    if json:
        print_json(summary)
    else:
        out.print(f"{run.id} is {state_of(summary)}; follow it with `peftw runs show {run.id}`.")


def _said(change: ChangedInput) -> str:
    """Return what became of an input. The hashes of a file say no more to a person than that it is another."""
    if change.what in ("dataset", "base"):
        return "is gone" if change.after is None else "has other content"
    return f"{change.before or 'none'} -> {change.after or 'none'}"


def move(
    run_id: RunId,
    to: Annotated[QueueMove, typer.Argument(help="first, up, down or last.", metavar="WHERE")],
    json: Json = False,
) -> None:
    """Give a run that waits another place in the queue."""
    run = find_run(run_id)
    waiting = commands.move_in_queue(run, to)
    if json:
        print_json(RunMoveResult(waiting=waiting))
        return
    for place, waits in enumerate(waiting, 1):
        out.print(f"{place:>3}  {waits}", style="bold" if waits == run.id else None, markup=False, highlight=False)


def recover(
    run_id: RunId,
    action: Annotated[RecoveryAction, typer.Argument(help="What to do.", metavar="ACTION")],
    anomaly: Annotated[
        str | None, typer.Option(help="About which anomaly.", show_default="the newest that proposes it")
    ] = None,
    undoes: Annotated[
        str | None, typer.Option(help="For undo: which recovery to take back.", show_default="the newest")
    ] = None,
    wait: Wait = 120.0,
    json: Json = False,
) -> None:
    """Do something about what is wrong with a run, or take such a thing back by `undo`."""
    run = find_run(run_id)
    request = commands.recover(run, action, anomaly=anomaly, undoes=undoes)
    log = EventTail(run.events)
    heard: list[RecoveryEvent | LogEvent] = []

    def is_answered() -> bool:
        heard.extend(event for event in log.read() if _answers(event, request))
        return bool(heard) or summarise(run).state in RESTING_STATES

    _wait(is_answered, wait)
    answer, state = heard[0] if heard else None, summarise(run).state
    if json:
        print_json(summarise(run))
    elif isinstance(answer, RecoveryEvent):
        out.print(f"{action} was done at step {answer.step}. {changes_of(answer)}".strip(), markup=False)
    elif isinstance(answer, LogEvent):
        err.print(answer.message, markup=False)
    elif state in RESTING_STATES:
        err.print(f"{run.id} is {state}; {action} was not done.", markup=False)
    else:
        out.print(f"{run.id} was asked for {action} and has not done it yet.", markup=False)
    if not isinstance(answer, RecoveryEvent) and (answer is not None or state in RESTING_STATES):
        finish(FAILURE)


def _answers(event: AnyEvent, request: RecoveryRequest) -> TypeGuard[RecoveryEvent | LogEvent]:
    """Tell whether an event says what became of what was asked."""
    if isinstance(event, RecoveryEvent):
        return event.id == request.id
    return isinstance(event, LogEvent) and event.recovery == request.id


def _tell_when_resting(run: RunDirectory, seconds: float, *, json: bool, asked: str) -> None:
    _wait(lambda: summarise(run).state in RESTING_STATES, seconds)
    summary = summarise(run)
    if json or summary.state in RESTING_STATES:
        _tell(summary, json=json)
    else:
        out.print(f"{run.id} {asked}.")


def _tell(summary: RunSummary, *, json: bool) -> None:
    if json:
        print_json(summary)
        return
    hint = f" Resume it with `peftw runs resume {summary.id}`." if summary.state == "paused" else ""
    out.print(f"{summary.id} is {state_of(summary)}.{hint}")


def _wait(until: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(_INTERVAL)
