"""`peftw runs`: what has run, what runs, and how to end it."""

import time
from typing import Annotated

import typer
from rich.table import Table

from peft_daemon.cli.output import err, out, print_json
from peft_daemon.runs.follow import summarise
from peft_daemon.runs.stop import ask_to_stop, kill
from peft_engine.rundir import find_run, list_runs
from peft_schemas.events import FINAL_STATES
from peft_schemas.protocol import RunListResult, RunSummary

app = typer.Typer(name="runs", help="List, show and stop runs.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
RunId = Annotated[str, typer.Argument(help="The run's id, as `peftw runs list` shows it.", metavar="ID")]

_COLOURS = {"completed": "green", "failed": "red", "running": "cyan", "stopped": "yellow"}


@app.command("list")
def list_command(json: Json = False) -> None:
    """List all runs, newest first."""
    runs = sorted((summarise(run) for run in list_runs()), key=lambda run: (run.created, run.id), reverse=True)
    if json:
        print_json(RunListResult(runs=runs))
        return
    if not runs:
        err.print("There are no runs yet. Start one with `peftw run CONFIG`.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("run", "state", "step", "loss", "base", "created"):
        table.add_column(column)
    for run in runs:
        table.add_row(run.id, _state(run), _steps(run), _number(run.metrics.get("loss")), run.base, run.created[:19])
    out.print(table)


@app.command("show")
def show_command(run_id: RunId, json: Json = False) -> None:
    """Show one run: state, progress, newest metrics, and why it failed."""
    run = summarise(find_run(run_id))
    if json:
        print_json(run)
        return
    rows: list[tuple[str, str | None]] = [
        ("run", run.id),
        ("state", _state(run)),
        ("step", _steps(run)),
        ("base", run.base),
    ]
    rows += [(name, _number(value)) for name, value in sorted(run.metrics.items())]
    rows += [("config", run.config_path), ("directory", run.directory), ("checkpoint", run.checkpoint)]
    rows.append(("chat", f"peftw chat --model {run.chat_model}" if run.chat_model else None))
    for name, value in rows:
        # Not a table: a path or a command that is folded cannot be copied.
        if value is not None:
            out.print(f"[dim]{name:<18}[/]{value}")
    if run.error:
        out.print(f"\n{run.error.message}\n{run.error.remedy}", markup=False)


@app.command("stop")
def stop_command(
    run_id: RunId,
    force: Annotated[bool, typer.Option("--force", help="End the worker at once; only its checkpoints stay.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the end of the step.", min=0)] = 120.0,
    json: Json = False,
) -> None:
    """Stop a run at its next step edge, after a checkpoint."""
    run = find_run(run_id)
    if force:
        kill(run)
    else:
        ask_to_stop(run)
    deadline = time.monotonic() + wait
    summary = summarise(run)
    while summary.state not in FINAL_STATES and time.monotonic() < deadline:
        time.sleep(0.2)
        summary = summarise(run)
    if json:
        print_json(summary)
    elif summary.state in FINAL_STATES:
        out.print(f"{run.id} is {_state(summary)}.")
    else:
        out.print(f"{run.id} was asked to stop and is finishing its step; `--force` does not wait.")


def _state(run: RunSummary) -> str:
    colour = _COLOURS.get(run.state, "default")
    return f"[{colour}]{run.state}[/]"


def _steps(run: RunSummary) -> str:
    return f"{run.step}/{run.total_steps}" if run.total_steps else str(run.step)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}"
