"""`peftw run`: start a run and watch it."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown

from peft_daemon.cli.check_formats import print_text
from peft_daemon.cli.output import FAILURE, INTERRUPTED, OK, err, finish, out, print_json, show_error
from peft_daemon.cli.progress import RunProgress
from peft_daemon.language.pages import plan_page
from peft_daemon.runs import commands
from peft_daemon.runs.follow import RunFollower
from peft_daemon.runs.launch import ConfigRefused, launch, lay_out
from peft_daemon.runs.plan import plan
from peft_daemon.tracking.duty import RunSender
from peft_engine.rundir import RunDirectory
from peft_schemas.base import Word
from peft_schemas.errors import ErrorReport, WorkbenchError
from peft_schemas.events import RESTING_STATES, AnyEvent, RunState
from peft_schemas.findings import FileFinding
from peft_schemas.plan import RunPlan

_INTERVAL = 0.1
"""Seconds between two looks at the event log."""


class Launched(Word):
    """What `--detach` prints."""

    run_id: str
    directory: str


class NotLaunched(Word):
    """What `--json` prints when no run was started."""

    type: str = "failed"
    run_id: None = None
    directory: None = None
    error: ErrorReport
    findings: list[FileFinding] = []


def command(
    config: Annotated[Path, typer.Argument(help="A .peft.yaml file.", metavar="CONFIG")],
    detach: Annotated[bool, typer.Option("--detach", help="Return as soon as the run has started.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the config, its model and its data, and start nothing.")
    ] = False,
    lay_out_only: Annotated[
        bool, typer.Option("--lay-out", help="Make the run's directory only; torchrun starts it, on several machines.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one event a line.")] = False,
    python: Annotated[
        str, typer.Option(help="The interpreter that trains.", envvar="PEFTW_PYTHON", show_default=False)
    ] = sys.executable,
) -> None:
    """Check a config, queue its run, and watch it to its end. Ctrl-C stops the run after a checkpoint."""
    try:
        if dry_run:
            _show_plan(plan(config), json=json)
            return
        run = (lay_out if lay_out_only else launch)(config, python=python)
    except WorkbenchError as error:
        _refuse(error, json=json)
    if detach or lay_out_only:
        launched = Launched(run_id=run.id, directory=str(run.path))
        print_json(launched)
        finish(OK)
    watch = _JsonWatch() if json else RunProgress(run.id)
    with watch, RunSender(run, lambda text: err.print(f"{run.id}: {text}", markup=False)):
        final, interrupted = _follow(run, watch)
    if interrupted:
        finish(INTERRUPTED)
    finish(OK if final in ("completed", "paused") else FAILURE)


def _refuse(error: WorkbenchError, *, json: bool) -> None:
    checked = error.checked if isinstance(error, ConfigRefused) else None
    if json:
        print_json(NotLaunched(error=error.report(), findings=checked.findings if checked else []))
    else:
        if checked:
            print_text(err, [checked])
        show_error(error.report())
    finish(FAILURE)


def _show_plan(planned: RunPlan, *, json: bool) -> None:
    if json:
        print_json(planned)
    else:
        # Without wrapping, Markdown is cut off at the width of the terminal.
        out.print(Markdown(plan_page(planned)), soft_wrap=False)


class _JsonWatch:
    """Prints each event as the line that stands in `events.jsonl`."""

    def __enter__(self) -> "_JsonWatch":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, event: AnyEvent) -> None:
        print_json(event)

    def stopping(self) -> None:
        pass


def _follow(run: RunDirectory, watch: "_JsonWatch | RunProgress") -> tuple[RunState, bool]:
    """Show every event until the run rests; return its state and whether Ctrl-C asked for it.

    A second Ctrl-C does not wait for the step.
    """
    follower = RunFollower(run)
    asked = False
    while True:
        try:
            for event in follower.read():
                watch.show(event)
            state = follower.summary().state
            if state in RESTING_STATES:
                return state, asked
            time.sleep(_INTERVAL)
        except KeyboardInterrupt:
            if asked:
                commands.kill(run)
            else:
                asked = True
                watch.stopping()
                commands.stop(run)
