"""`peftw bench`: what is fast on this machine, measured and not believed."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from peft_daemon.cli.check_formats import print_text
from peft_daemon.cli.output import FAILURE, USAGE, err, finish, out, print_json, show_error
from peft_daemon.language.check import check_file
from peft_engine.backends.bench import measure
from peft_engine.backends.choose import verdict
from peft_engine.backends.record import add, recorded
from peft_engine.hardware import detect
from peft_schemas.bench import BackendMeasurement, BackendReport
from peft_schemas.errors import WorkbenchError

_GIB = 2**30


def command(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="A .peft.yaml file, whose first steps are measured. Left out, what was measured before is shown.",
            metavar="CONFIG",
            show_default=False,
        ),
    ] = None,
    backends: Annotated[
        bool, typer.Option("--backends", help="Measure the training backends, Unsloth against Transformers.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    python: Annotated[
        str, typer.Option(help="The interpreter that trains.", envvar="PEFTW_PYTHON", show_default=False)
    ] = sys.executable,
) -> None:
    """Measure what trains a config fastest here; `compute.backend: auto` goes by it from then on."""
    if not backends:
        err.print("Say what to measure: `peftw bench --backends`.", markup=False)
        finish(USAGE)
    measurements = recorded() if config is None else [_measure(config, python, quiet=json)]
    report = BackendReport(measurements=measurements, notes=list(_notes(measurements)))
    if json:
        print_json(report)
        return
    for measurement in measurements:
        _show(measurement)
    for note in report.notes:
        out.print(note, style="dim", markup=False)


def _measure(path: Path, python: str, *, quiet: bool) -> BackendMeasurement:
    checked = check_file(path, python=python)
    if checked.resolved is None:
        print_text(err, [checked])
        finish(FAILURE)
    say = (lambda _: None) if quiet else (lambda doing: err.print(doing, style="dim", markup=False))
    try:
        measurement = measure(checked.resolved.config, path, python=python, progress=say)
    except WorkbenchError as error:
        show_error(error.report())
        finish(FAILURE)
    add(measurement)
    return measurement


def _notes(measurements: list[BackendMeasurement]) -> Iterator[str]:
    if not measurements:
        yield "Nothing was measured on this machine yet: name a config."
    if not any(each.device_kind == "cuda" and each.speed_ratio is not None for each in measurements):
        where = "no CUDA device was found" if detect().kind != "cuda" else "no run with it was measured on one"
        yield (
            "Unsloth's claim for GPUs, about twice the speed with 60 to 70 % less memory, is not measured here: "
            f"{where}."
        )


def _show(measurement: BackendMeasurement) -> None:
    what = f"{measurement.base} ({measurement.architecture}) with {measurement.method} on {measurement.device}"
    out.print(what, markup=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("backend")
    for title in ("tokens a second", "peak memory", "last loss"):
        table.add_column(title, justify="right")
    for each in measurement.backends:
        if each.error is not None:
            table.add_row(each.backend, Text(f"not measured: {each.error.message}"))
            continue
        table.add_row(
            each.backend,
            " · ".join(f"{run.tokens_per_second:,.0f}" for run in each.runs),
            " · ".join(f"{run.peak_memory_bytes / _GIB:.2f} GiB" for run in each.runs),
            " · ".join(f"{run.loss:.4f}" for run in each.runs),
        )
    out.print(table)
    if measurement.speed_ratio is not None and measurement.memory_ratio is not None:
        out.print(
            f"Unsloth: {measurement.speed_ratio:.2f} times the speed, {measurement.memory_ratio:.2f} times the memory."
        )
    backend, reason = verdict(measurement)
    out.print(f"`compute.backend: auto` takes {backend} for such a run: {reason}.", markup=False)
