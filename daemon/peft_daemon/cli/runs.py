"""`peftw runs`: what has run, what runs, and what can be done with it."""

from pathlib import Path

import typer
from rich.markup import escape

from peft_daemon.cli import runs_control, runs_keep, runs_list, runs_track
from peft_daemon.cli.output import out, print_json
from peft_daemon.cli.runs_words import Json, RunId, changes_of, duration, measurement, state_of, steps_of
from peft_daemon.runs.commands import recoveries
from peft_daemon.runs.follow import summarise
from peft_engine.rundir import RunDirectory, find_run
from peft_engine.rundir.tracking import read_tracker
from peft_schemas.events import RESTING_STATES
from peft_schemas.runs import RunSummary

app = typer.Typer(name="runs", help="List, show and control runs.", no_args_is_help=True)


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
        ("detail", run.detail),
        ("step", steps_of(run)),
        ("elapsed", duration(run.elapsed_seconds)),
        ("remaining", duration(run.eta_seconds)),
        ("base", run.base),
    ]
    rows += [(name, measurement(name, value)) for name, value in sorted(run.metrics.items())]
    rows += [("config", run.config_path), ("directory", run.directory), ("checkpoint", _checkpoint(run))]
    rows.append(("chat", f"peftw chat --model {run.chat_model}" if run.chat_model else None))
    rows.append(("tracker", _tracker(find_run(run_id))))
    rows.append(("resume", f"peftw runs resume {run.id}" if run.state == "paused" else None))
    for name, value in rows:
        # Not a table: a path or a command that is folded cannot be copied.
        if value is not None:
            out.print(f"[dim]{name:<21}[/]{value if name == 'state' else escape(value)}")
    _print_done(run_id)
    for anomaly in run.anomalies:
        out.print(f"\n{anomaly.id} at step {anomaly.step}: {anomaly.cause}", markup=False)
        # Nothing can be done about the training of a run that rests.
        for proposed in anomaly.actions if run.state not in RESTING_STATES else ():
            out.print(f"  {proposed.title}: peftw runs recover {run.id} {proposed.action}", markup=False)
    if run.error:
        out.print(f"\n{run.error.message}\n{run.error.remedy}", markup=False)


def _print_done(run_id: str) -> None:
    """Print what was done about the run, each with the name by which it is taken back."""
    done = recoveries(find_run(run_id))
    undone = {event.undoes for event in done}
    lines = [
        f"{event.id} at step {event.step}: {event.action} by {'a person' if event.by == 'person' else 'the run itself'}"
        + (", taken back since. " if event.id in undone else ". ")
        + changes_of(event)
        for event in done
        if event.undoes is None
    ]
    if lines:
        out.print("\n" + "\n".join(map(str.rstrip, lines)), markup=False)


def _checkpoint(run: RunSummary) -> str | None:
    """Return the newest checkpoint, and whether clean-up or a move to another machine has taken it away."""
    if run.checkpoint is None or (Path(run.directory) / run.checkpoint).is_dir():
        return run.checkpoint
    return f"{run.checkpoint}, which is not here any more"


def _tracker(run: RunDirectory) -> str | None:
    """Return where the run's measurements are sent as well, and what hinders that."""
    file = read_tracker(run)
    return None if file is None else file.problem or f"experiment {file.experiment} at {file.url}"


app.command("pause")(runs_control.pause)
app.command("resume")(runs_control.resume)
app.command("stop")(runs_control.stop)
app.command("cancel")(runs_control.cancel)
app.command("move")(runs_control.move)
app.command("recover")(runs_control.recover)
app.command("list")(runs_list.list_command)
app.command("series")(runs_list.series_command)
app.command("files")(runs_list.files_command)
app.command("versions")(runs_keep.versions)
app.command("pin")(runs_keep.pin)
app.command("note")(runs_keep.note)
app.command("clean")(runs_keep.clean)
app.command("track")(runs_track.track)
app.command("export")(runs_keep.export)
app.command("import")(runs_keep.import_)
