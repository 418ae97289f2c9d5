"""The tree of commands."""

from typing import Annotated

import typer

from peft_daemon.cli import (
    api,
    bench,
    chat,
    check,
    convert,
    doctor,
    estimate,
    explain,
    export,
    hardware,
    import_,
    models,
    run,
    runs,
    schema,
    serve,
    service,
)
from peft_schemas import __version__

app = typer.Typer(
    name="peftw",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"peftw {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:
    """Fine-tune language models: check a config, run it, watch it, chat with the result."""


app.command("check")(check.command)
app.command("explain")(explain.command)
app.command("estimate")(estimate.command)
app.command("run")(run.command)
app.add_typer(runs.app, name="runs")
app.add_typer(models.app, name="models")
app.command("chat")(chat.command)
app.add_typer(serve.app, name="serve")
app.add_typer(service.app, name="service")
app.command("api")(api.command)
app.command("hardware")(hardware.command)
app.command("doctor")(doctor.command)
app.command("schema")(schema.command)
app.command("import")(import_.command)
app.command("export")(export.command)
app.command("convert")(convert.command)
app.command("bench")(bench.command)


@app.command("lsp", help="Speak the Language Server Protocol over stdio; editors start this.")
def lsp() -> None:
    """Appear in the help only: `main` starts the server before any of this is loaded."""
