"""`peftw api`: runs over HTTP."""

import os
import sys
from typing import Annotated

import typer

from peft_daemon.cli.output import err, out, print_json
from peft_daemon.cli.serve import Serving
from peft_schemas.errors import WorkbenchError


def command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0 for any free port.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    python: Annotated[
        str, typer.Option(help="The interpreter that trains.", envvar="PEFTW_PYTHON", show_default=False)
    ] = sys.executable,
) -> None:
    """Start, list, follow and control runs over HTTP until Ctrl-C. Runs go on without it."""
    try:
        from peft_daemon.http.serve import serve
    except ImportError as error:
        raise WorkbenchError(
            "extra-missing",
            f"This Python ({sys.executable}) cannot serve HTTP: {error}.",
            "Install the serving extra: `pip install 'peft-workbench[serve]'`.",
        ) from error

    def announce(url: str, token: str) -> None:
        if json:
            print_json(Serving(url=url, token=token, pid=os.getpid()))
            return
        out.print(f"Serving at  {url}", markup=False)
        out.print(f"Token       {token}", markup=False)
        err.print("Press Ctrl-C to stop; runs go on.", style="dim", markup=False)

    serve(port=port, python=python, announce=announce)
