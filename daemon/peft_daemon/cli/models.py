"""`peftw models`: what models there are on this machine."""

from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from peft_daemon.cli.conversion import PREPARING
from peft_daemon.cli.output import FAILURE, err, finish, out, print_json, show_error
from peft_daemon.cli.runs_words import Json, size
from peft_daemon.models.changing import add_model, remove_model
from peft_daemon.models.listing import find_model, list_models, path_of
from peft_daemon.models.sources import source_of
from peft_engine.hardware import detect as detect_hardware
from peft_engine.home import models_dir
from peft_engine.library.scan import scan
from peft_engine.models.room import require_room
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelCapability, ModelEntry, ModelFormat, ModelList, ModelQuery, ModelSource

app = typer.Typer(name="models", help="List, describe, add and forget models.", no_args_is_help=True)

ModelId = Annotated[str, typer.Argument(help="The model's id, as `peftw models list` shows it.", metavar="ID")]

_GB = 10**9
_GAP = 2
"""Spaces between two columns."""

_FIRST_TO_GO = ("made for", "context", "format", "source", "quantization", "adapters")


@app.command("list")
def list_command(
    format_: Annotated[ModelFormat | None, typer.Option("--format", help="What its weights are stored as.")] = None,
    source: Annotated[ModelSource | None, typer.Option(help="Where it came from.")] = None,
    capability: Annotated[ModelCapability | None, typer.Option(help="What it was made for.")] = None,
    min_size: Annotated[float | None, typer.Option(min=0, help="GB of weights, at least.")] = None,
    max_size: Annotated[float | None, typer.Option(min=0, help="GB of weights, at most.")] = None,
    text: Annotated[str, typer.Option(help="A part of the id.")] = "",
    json: Json = False,
) -> None:
    """List the models that the last scan found, and those that are defined or trained here."""
    query = ModelQuery(
        formats=[format_] if format_ else [],
        sources=[source] if source else [],
        capabilities=[capability] if capability else [],
        min_bytes=None if min_size is None else int(min_size * _GB),
        max_bytes=None if max_size is None else int(max_size * _GB),
        text=text,
    )
    _print_list(list_models(query), json)


@app.command("scan")
def scan_command(json: Json = False) -> None:
    """Look again at the folders of other tools and at those of settings.yaml, and list what there is."""
    scan()
    _print_list(list_models(ModelQuery()), json)


@app.command("show")
def show_command(model_id: ModelId, json: Json = False) -> None:
    """Describe one model."""
    model = find_model(model_id)
    if json:
        print_json(model)
        return
    facts = model.facts
    rows: list[tuple[str, str | None]] = [("model", model.id), ("source", model.source), ("path", model.path)]
    if facts is not None:
        rows += [
            ("format", facts.format),
            ("size", size(facts.size_bytes)),
            ("architecture", facts.architecture),
            ("parameters", None if facts.parameters is None else f"{facts.parameters:,}"),
            ("quantization", facts.quantization),
            ("context", None if facts.context_length is None else f"{facts.context_length:,} tokens"),
            ("made for", ", ".join(facts.capabilities) or None),
            ("licence", facts.licence),
        ]
    rows += [("model.base", model.base), ("defined by", model.definition)]
    rows += [("adapter", adapter.id) for adapter in model.adapters]
    rows += [("copy", copy) for copy in model.copies]
    for name, value in rows:
        if value is not None:
            out.print(f"[dim]{name:<14}[/]", end="")
            out.print(value, markup=False)
    if model.problem is not None:
        out.print(f"\n{model.problem.message}\n{model.problem.remedy}", markup=False)


@app.command("check")
def check_command(
    model: Annotated[str, typer.Argument(help="A file, a folder, or an id of the library.", metavar="MODEL")],
    json: Json = False,
) -> None:
    """Look at the headers of a model's files and at its size, and say what would keep it from being loaded.

    Exit code 1 when there is something; with `--json` that, else null.
    """
    path = source_of(model, PREPARING).path
    try:
        require_sound(path)
        require_room(path, detect_hardware().total_memory_bytes)
    except WorkbenchError as error:
        if json:
            print_json(error.report())
        else:
            show_error(error.report())
        finish(FAILURE)
    out.print("null" if json else f"{path} can be loaded.", markup=False)


@app.command("add")
def add_command(
    path: Annotated[Path, typer.Argument(help="A GGUF file, or a folder saved by transformers.")],
    model_id: Annotated[str | None, typer.Option("--id", help="What it is to be called.")] = None,
    json: Json = False,
) -> None:
    """Put a model into the library, wherever its files are. They stay there."""
    model = add_model(path_of(str(path)), model_id)
    if json:
        print_json(model)
    else:
        out.print(model.id, markup=False)


@app.command("remove")
def remove_command(model_id: ModelId) -> None:
    """Forget a model. Its files stay, and adding it brings it back."""
    remove_model(model_id)


@app.command("open")
def open_command() -> None:
    """Open the folder of definition files, in which each `.yaml` declares a model."""
    models_dir().mkdir(parents=True, exist_ok=True)
    out.print(str(models_dir()), markup=False)
    typer.launch(str(models_dir()))


def _print_list(found: ModelList, json: bool) -> None:
    if json:
        print_json(found)
        return
    for fault in found.faults:
        where = fault.path if fault.range is None else f"{fault.path}:{fault.range.start.line + 1}"
        err.print(f"{where}: {fault.message}", markup=False, style="yellow")
    if not found.models:
        err.print("There is no such model. Look for some with `peftw models scan`, or add one with `peftw models add`.")
        return
    rows = [_cells(model) for model in found.models]
    # Into a file or another program everything goes; what a narrow terminal has no room for, `models show` tells.
    columns = _that_fit(rows, out.width) if out.is_terminal else list(rows[0])
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim")
    for column in columns:
        # What is cut or folded cannot be copied.
        table.add_column(column, no_wrap=True, min_width=_width(column, rows))
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    out.print(table, width=None if out.is_terminal else _whole(columns, rows))
    for group in sorted({tuple(sorted((model.id, *model.copies))) for model in found.models if model.copies}):
        err.print(f"The same weights, each in files of its own: {', '.join(group)}", markup=False, style="dim")


def _cells(model: ModelEntry) -> dict[str, str]:
    facts = model.facts
    known = {
        "format": "[red]unusable[/]" if facts is None else facts.format,
        "size": "" if facts is None else size(facts.size_bytes),
        "quantization": "" if facts is None else facts.quantization or "",
        "context": "" if facts is None or facts.context_length is None else f"{facts.context_length:,}",
        "made for": "" if facts is None else ", ".join(facts.capabilities),
    }
    return {"model": escape(model.id), "source": model.source, **known, "adapters": str(len(model.adapters) or "")}


def _that_fit(rows: list[dict[str, str]], width: int) -> list[str]:
    """Return the columns for which there is room; empty ones, then those that matter least, are left out."""
    columns = list(rows[0])
    for column in sorted(_FIRST_TO_GO, key=lambda column: any(row[column] for row in rows)):
        if _whole(columns, rows) <= width:
            break
        columns.remove(column)
    return columns


def _whole(columns: list[str], rows: list[dict[str, str]]) -> int:
    return sum(_width(column, rows) + _GAP for column in columns)


def _width(column: str, rows: list[dict[str, str]]) -> int:
    return max(cell_len(Text.from_markup(cell).plain) for cell in (column, *(row[column] for row in rows)))
