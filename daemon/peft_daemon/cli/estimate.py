"""`peftw estimate`: what a config comes to, before anything is started."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from peft_daemon.cli.check_formats import print_text
from peft_daemon.cli.output import FAILURE, err, finish, out, print_json
from peft_daemon.language.binding import bind
from peft_daemon.language.check import check_file
from peft_daemon.language.figures import estimate
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.wording import FIGURES, amount
from peft_daemon.language.world.gather import gather
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText


def command(
    config: Annotated[Path, typer.Argument(help="A .peft.yaml file.", metavar="CONFIG")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Print the effective batch, the steps and the trainable parameters. Time and memory are not estimated yet."""
    checked = check_file(config)
    if checked.resolved is None:
        print_text(err, [checked])
        finish(FAILURE)
    document = parse(SourceText(checked.text))
    report = estimate(Subject(document, bind(document), gather(document, config)))
    if as_json:
        print_json(report)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right", style="bold")
    table.add_column(overflow="fold", style="dim")
    for figure in report.figures:
        table.add_row(FIGURES[figure.name], amount(figure), figure.formula)
    for missing in report.unknown:
        table.add_row(FIGURES[missing.name], "?", missing.reason)
    out.print(table)
    err.print(f"Not estimated by this version: {' and '.join(report.not_estimated)}.", style="dim")
