"""`peftw runs versions`, `pin`, `note`, `clean`, `export` and `import`: what is kept of runs, and for how long."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from peft_daemon.cli.interrupting import interruptible
from peft_daemon.cli.output import err, out, print_json
from peft_daemon.cli.runs_words import Json, RunId, number, size
from peft_daemon.runs.bundle import export_run, import_run
from peft_daemon.runs.follow import summarise
from peft_daemon.runs.retention import cleanup_plan, remove
from peft_daemon.runs.store import update
from peft_engine.notes import read_notes, write_notes
from peft_engine.rundir import find_run
from peft_engine.versions import list_versions
from peft_schemas.records import CleanupPlan, CleanupResult, VersionList


def versions(
    name: Annotated[str | None, typer.Argument(help="A model's name; all when left out.")] = None, json: Json = False
) -> None:
    """List the versions of models: each completed run made one."""
    update()
    found = list_versions(name)
    if json:
        print_json(VersionList(versions=found))
        return
    if not found:
        whose = f" of {name}" if name else ""
        err.print(f"There are no versions{whose} yet: a run makes one when it completes.", markup=False)
    for one in found:
        changed = f"{one.change}: {', '.join(one.changed)}" if one.changed else one.change
        loss = number(one.metrics.get("eval_loss", one.metrics.get("loss")))
        out.print(f"{one.name} {one.version}  {one.run_id}  loss {loss}  {one.completed[:19]}  {changed}", markup=False)


def pin(
    run_id: RunId,
    off: Annotated[bool, typer.Option("--off", help="Let it be cleaned up again.")] = False,
    json: Json = False,
) -> None:
    """Pin a run, so that nothing cleans it up."""
    run = find_run(run_id)
    notes = read_notes(run).model_copy(update={"pinned": not off})
    write_notes(run, notes)
    if json:
        print_json(notes)
    else:
        out.print(f"{run.id} is {'no longer pinned' if off else 'pinned'}.")


def note(
    run_id: RunId,
    text: Annotated[str | None, typer.Argument(help="What to remember of the run; replaces what was there.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag to find it by; may be repeated.")] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="A tag to take off; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Write down something about a run, or tag it; print its notes."""
    run = find_run(run_id)
    notes = read_notes(run)
    tags = sorted({*notes.tags, *(tag or [])} - set(untag or []))
    changed = notes.model_copy(update={"tags": tags, "text": notes.text if text is None else text})
    if changed != notes:
        write_notes(run, changed)
    if json:
        print_json(changed)
        return
    out.print(f"{run.id}{', pinned' if changed.pinned else ''}{''.join(f' #{one}' for one in tags)}", markup=False)
    if changed.text:
        out.print(changed.text, markup=False)


def clean(
    chosen: Annotated[
        list[str] | None,
        typer.Argument(help="What to remove, by the names in the list; else what the settings name.", metavar="NAME"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what could be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    json: Json = False,
) -> None:
    """Show what could be removed to gain space, and remove what you agree to.

    Without names, that is what the rules under `retention` in `settings.yaml` name. Active and pinned runs stay.
    """
    plan = cleanup_plan()
    ids = chosen or [item.id for item in plan.items if item.preselected]
    if dry_run:
        print_json(plan) if json else _print_plan(plan, ids)
        return
    if not json:
        _print_plan(plan, ids)
    if ids and not (yes or _agreed(plan, ids)):
        err.print("Nothing was removed. `--yes` removes what is marked without asking.")
        ids = []
    result = remove(ids)
    print_json(result) if json else _print_result(result)


def export(
    run_id: RunId,
    file: Annotated[Path, typer.Argument(help="A new file whose name ends in .tar.gz or .zip.")],
    with_checkpoints: Annotated[bool, typer.Option("--with-checkpoints", help="Take its checkpoints along.")] = False,
    json: Json = False,
) -> None:
    """Write a whole experiment to one file: config, measurements, notes, environment, version and result.

    Ctrl-C gives it up and leaves no file.
    """
    run = find_run(run_id)
    with interruptible(f"The export of {run.id} was cancelled; {file} was not written.") as cancelled:
        manifest = export_run(run, file, checkpoints=with_checkpoints, cancelled=cancelled)
    if json:
        print_json(manifest)
    else:
        out.print(f"{file}: {len(manifest.files)} files, {size(file.stat().st_size)}", markup=False)


def import_(file: Annotated[Path, typer.Argument(help="What `export` wrote.")], json: Json = False) -> None:
    """Bring in an experiment that was exported elsewhere. Ctrl-C gives it up and leaves nothing of it."""
    with interruptible(f"The import of {file} was cancelled; nothing of it was kept.") as cancelled:
        run = import_run(file, cancelled=cancelled)
    if json:
        print_json(summarise(run))
    else:
        out.print(f"{run.id} is in {run.path}.", markup=False)


def _agreed(plan: CleanupPlan, ids: list[str]) -> bool:
    """Ask, where there is somebody to ask."""
    if not sys.stdin.isatty():
        return False
    gain = sum(item.bytes for item in plan.items if item.id in ids)
    return typer.confirm(f"Remove {len(ids)} ({size(gain)})?", err=True)


def _print_plan(plan: CleanupPlan, ids: list[str]) -> None:
    if not plan.items:
        out.print("There is nothing that could be removed.")
    for item in plan.items:
        mark = "x" if item.id in ids else " "
        out.print(f"[{mark}] {size(item.bytes):>8}  {item.id}  {item.reason}", markup=False)
    if plan.low:
        err.print(f"Space is low: {size(plan.free_bytes)} are free.")


def _print_result(result: CleanupResult) -> None:
    if result.removed:
        out.print(f"Removed {len(result.removed)} and gained {size(result.bytes)}.")
    for one in result.kept:
        err.print(f"{one} was kept: it is at work, pinned, needed, or gone already.", markup=False)
