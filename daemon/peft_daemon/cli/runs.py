"""`peftw runs`: what has run, what runs, and how to end it."""

import time
from typing import Annotated

import typer

from peft_daemon.cli import runs_list
from peft_daemon.cli.output import out, print_json
from peft_daemon.cli.runs_words import Json, RunId, number, state_of, steps_of
from peft_daemon.runs.follow import summarise
from peft_daemon.runs.stop import ask_to_stop, kill
from peft_engine.rundir import find_run
from peft_schemas.events import FINAL_STATES

app = typer.Typer(name="runs", help="List, show and stop runs.", no_args_is_help=True)


@app.command("show")
def show_command(run_id: RunId, json: Json = False) -> None:
    """Show one run: state, progress, newest metrics, and why it failed."""
    run = summarise(find_run(run_id))
    if json:
        print_json(run)
        return
    rows: list[tuple[str, str | None]] = [
        ("run", run.id),
        ("state", state_of(run)),
        ("step", steps_of(run)),
        ("base", run.base),
    ]
    rows += [(name, number(value)) for name, value in sorted(run.metrics.items())]
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
        out.print(f"{run.id} is {state_of(summary)}.")
    else:
        out.print(f"{run.id} was asked to stop and is finishing its step; `--force` does not wait.")


app.command("list")(runs_list.list_command)
app.command("series")(runs_list.series_command)
app.command("files")(runs_list.files_command)
