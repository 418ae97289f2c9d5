"""`peftw explain`: every effective value of a config and where it comes from."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from peft_daemon.cli.check_formats import print_text
from peft_daemon.cli.output import FAILURE, err, finish, out, print_json
from peft_daemon.language.check import check_file
from peft_daemon.language.rules.values import written
from peft_schemas.explain import ExplainedValue, Origin

_STYLES: dict[Origin, str] = {
    "user": "bold",
    "preset": "magenta",
    "template": "cyan",
    "profile": "green",
    "computed": "yellow",
    "default": "dim",
}


def command(
    file: Annotated[Path, typer.Argument(help="A config file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Print every value that a run would use, and its origin: you, a preset, a template, a profile, or the default."""
    checked = check_file(file)
    if checked.resolved is None:
        print_text(err, [checked])
        finish(FAILURE)
    if as_json:
        print_json(checked.resolved.report())
        return
    config = checked.resolved.config
    sources: dict[Origin, str | None] = {
        "preset": config.preset,
        "template": config.template,
        "profile": config.profile,
    }
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("key", no_wrap=True)
    table.add_column("value", overflow="fold", min_width=8)
    # A long value is folded sooner than the name of a layer, which people search for.
    widest = max((len(f"{origin} {name}") for origin, name in sources.items() if name), default=0)
    table.add_column("origin", overflow="fold", min_width=widest)
    for value in checked.resolved.explained:
        style = _STYLES[value.origin]
        shown = ", ".join(map(str, value.value)) if isinstance(value.value, list) else written(value.value)
        table.add_row(value.path, Text(shown, style=style), Text(_origin(value, sources), style=style))
    out.print(table)


def _origin(value: ExplainedValue, sources: dict[Origin, str | None]) -> str:
    """Say where a value comes from: the layer's name, or for a computed one the reason."""
    if value.origin == "computed" and value.reason:
        return f"computed: {value.reason}"
    return " ".join(filter(None, [value.origin, sources.get(value.origin)]))
