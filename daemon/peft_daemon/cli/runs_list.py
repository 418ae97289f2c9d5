"""`peftw runs list`, `series` and `files`: what the index of all runs knows."""

from contextlib import nullcontext
from functools import partial
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from peft_daemon.cli.output import err, out, print_json
from peft_daemon.cli.runs_words import Json, RunId, number, size, state_of, steps_of
from peft_daemon.language.wording import counted
from peft_daemon.runs.store import find_runs, list_artifacts, read_series
from peft_daemon.runs.store.query import SORTS, parse_condition
from peft_schemas.records import ArtifactList, RunQuery, Series, SeriesParams, SeriesResult
from peft_schemas.runs import RunPage

_INDEXING = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())


def list_command(
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Only runs that meet it: `state=failed`, `loss<0.5`, `tag=NAME`. May be repeated.",
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            help=(
                "`created`, `updated`, `name` or a metric, which leaves out runs without it; `-` before it turns the "
                "order round."
            )
        ),
    ] = "-created",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="How many to pass over first.")] = 0,
    json: Json = False,
) -> None:
    """List runs, newest first.

    A condition compares `state`, `base`, `method`, `name`, `tag`, `version`, `created`, `updated` or a metric's newest
    value by one of `=`, `<`, `<=`, `>` and `>=`.
    """
    query = RunQuery(
        where=[parse_condition(text) for text in where or []],
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        limit=limit,
        offset=offset,
    )
    bar = Progress(*_INDEXING, console=err, transient=True)
    # One that ends where no terminal is leaves an empty line.
    with bar if err.is_terminal and not json else nullcontext():
        page = find_runs(query, partial(_show, bar))
    if json:
        print_json(page)
    elif page.runs:
        _print_page(page, offset)
    else:
        err.print(_why_none(page, query), markup=False)


def _why_none(page: RunPage, query: RunQuery) -> str:
    """Return for people why a page has no run."""
    if page.total:
        return f"There are no more than {counted(page.total, 'such run')}; a lower `--offset` shows them."
    if query.where:
        return "No run meets that."
    if query.sort in SORTS:
        return "There are no runs yet. Start one with `peftw run CONFIG`."
    return f"No run has a metric `{query.sort}` to sort by."


def _show(bar: Progress, done: int, of: int) -> None:
    """Show how far the index is, where making it takes so long that one waits."""
    if not bar.tasks and of > done:
        bar.add_task("reading runs", total=of)
    for task in bar.task_ids:
        bar.update(task, completed=done)


def series_command(
    run_id: RunId,
    metric: Annotated[list[str] | None, typer.Option("--metric", help="May be repeated; else all.")] = None,
    points: Annotated[int, typer.Option(min=10, max=10_000, help="The most points of each metric.")] = 500,
    first: Annotated[int, typer.Option("--from", min=0, help="The first step.")] = 0,
    last: Annotated[int | None, typer.Option("--to", min=0, help="The last step.")] = None,
    json: Json = False,
) -> None:
    """Print a run's measurements. Where there are more than `--points`, the extremes are among those that are kept."""
    params = SeriesParams(run_id=run_id, metrics=metric or [], points=points, first_step=first, last_step=last)
    series = read_series(params)
    if json:
        print_json(SeriesResult(series=series))
        return
    for one in series:
        _print_series(one)
    missing = sorted({*params.metrics} - {one.metric for one in series})
    if missing or not series:
        err.print(_what_it_has(run_id, missing), markup=False)


def _what_it_has(run_id: str, missing: list[str]) -> str:
    known = ", ".join(one.metric for one in read_series(SeriesParams(run_id=run_id)))
    if not known:
        return f"Nothing was measured in {run_id} yet."
    return f"{run_id} has no metric {' or '.join(missing)}; it has {known}."


def files_command(run_id: RunId, json: Json = False) -> None:
    """List what a run made, and what of it has been removed since."""
    artifacts = list_artifacts(run_id)
    if json:
        print_json(ArtifactList(artifacts=artifacts))
        return
    if not artifacts:
        err.print(f"{run_id} has made nothing yet.", markup=False)
    for one in artifacts:
        out.print(f"{'removed' if one.bytes is None else size(one.bytes):>10}  {one.path}", markup=False)


def _print_page(page: RunPage, offset: int) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("run", "state", "step", "loss", "base", "created"):
        table.add_column(column)
    for run in page.runs:
        loss, base = number(run.metrics.get("loss")), Text(run.base)
        table.add_row(run.id, state_of(run), steps_of(run), loss, base, run.created[:19])
    out.print(table)
    if len(page.runs) < page.total:
        err.print(f"{offset + 1} to {offset + len(page.runs)} of {page.total}; `--limit` and `--offset` show others.")


def _print_series(series: Series) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", title=f"{series.metric}, {series.total} points")
    table.add_column("step", justify="right")
    table.add_column(series.metric, justify="right")
    for step, value in zip(series.steps, series.values, strict=True):
        table.add_row(str(step), number(value))
    out.print(table)
