"""`peftw serve`: the models of this machine behind an OpenAI-compatible API."""

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Annotated, NoReturn

import typer

from peft_daemon.cli import serve_control
from peft_daemon.cli.output import OK, err, finish, out, print_json
from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running, runs_elsewhere
from peft_engine.process import ProcessIdentity
from peft_engine.serve_record import ServeRecord
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError

_INTERVAL = 0.2
"""Seconds between two looks at the process."""

_LOOPBACK = ("127.0.0.1", "localhost")

app = typer.Typer(
    invoke_without_command=True,
    help="Serve base models and adapters over HTTP until Ctrl-C. One process serves all clients of a user.",
)
serve_control.add_to(app)


class Serving(Word):
    """What `--json` prints once the process answers."""

    url: str
    """The base URL that OpenAI clients take."""

    token: str
    """The API key."""

    pid: int


@app.callback()
def command(
    context: typer.Context,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Where to listen.", show_default="that of the settings, else of the last time"
        ),
    ] = 0,
    host: Annotated[str, typer.Option(help="This machine alone: nothing else is accepted.")] = _LOOPBACK[0],
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it answers; it leaves when idle.")] = False,
    load: Annotated[
        list[str] | None, typer.Option(help="A model to load at once; may be repeated. The first is the default model.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads that compute.", show_default="one a core")
    ] = None,
    idle_minutes: Annotated[
        float | None,
        typer.Option(
            min=0, help="Leave after so long without a request; 0 for never.", show_default="30 detached, else 0"
        ),
    ] = None,
    python: Annotated[
        str, typer.Option(help="The interpreter that serves.", envvar="PEFTW_PYTHON", show_default=False)
    ] = sys.executable,
) -> None:
    """Serve base models and adapters over HTTP until Ctrl-C. One process serves all clients of a user."""
    if context.invoked_subcommand is not None:
        return
    if host not in _LOOPBACK:
        raise WorkbenchError(
            "not-supported",
            f"Models are served on this machine alone, not on {host}.",
            "Leave --host out, and reach this machine from another one through an SSH tunnel.",
        )
    running = endpoint.find()
    if running is not None and port not in (0, running.port):
        raise runs_elsewhere(running, port)
    foreground = not detach and running is None

    def start() -> ServeRecord:
        return ensure_running(
            python=python,
            port=port,
            idle_minutes=0 if foreground and idle_minutes is None else idle_minutes,
            threads=threads,
            load=load or (),
            parent=ProcessIdentity.current() if foreground else None,
            progress=lambda sentence: err.print(sentence, style="dim", markup=False),
        )

    if foreground:
        _stay(start, json=json)
    _announce(start(), json=json)
    if running is not None:
        err.print("It was running already; stop it with `peftw serve stop`.", style="dim", markup=False)


def _announce(record: ServeRecord, *, json: bool) -> None:
    if json:
        print_json(Serving(url=record.url, token=record.token, pid=record.pid))
        return
    out.print(f"Serving at  {record.url}", markup=False)
    out.print(f"API key     {record.token}", markup=False)


def _stay(start: Callable[[], ServeRecord], *, json: bool) -> NoReturn:
    """Serve until the process ends or we are told to; it never survives us."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        record = start()
        _announce(record, json=json)
        err.print("Press Ctrl-C to stop.", style="dim", markup=False)
        while record.identity.alive():
            time.sleep(_INTERVAL)
        err.print("The inference process has ended.", style="dim", markup=False)
    except KeyboardInterrupt:
        endpoint.stop()
    finish(OK)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
