"""`peftw import`: a config of another tool becomes one of ours."""

from pathlib import Path
from typing import Annotated

import typer

from peft_daemon.cli.output import FAILURE, OK, USAGE, finish, show_error
from peft_daemon.cli.translation import deliver, refuse_existing
from peft_engine.config.foreign.tables import Tool
from peft_engine.config.foreign.translate import import_config, read_foreign
from peft_schemas.errors import WorkbenchError


def command(
    tool: Annotated[Tool, typer.Argument(help="The tool whose config it is.")],
    file: Annotated[Path, typer.Argument(help="The config.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the new config is written.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output when it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the config and the findings as JSON.")] = False,
) -> None:
    """Translate another tool's config, and say what is not the same.

    Exit code 1 when something has to be mended by hand before the config can be used.
    """
    try:
        text = read_foreign(file)
    except WorkbenchError as error:
        show_error(error.report())
        finish(USAGE)
    refuse_existing(output, force=force)
    imported = import_config(tool, text, file.absolute().parent)
    deliver(file, text, imported.config, imported.findings, output=output, as_json=as_json)
    finish(OK if imported.is_usable else FAILURE)
