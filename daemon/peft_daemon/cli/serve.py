"""`peftw serve`: the models of this machine behind an OpenAI-compatible API."""

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Annotated, NoReturn

import typer

from peft_daemon.cli.output import OK, err, finish, out, print_json
from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running
from peft_engine.process import ProcessIdentity
from peft_engine.serve_record import ServeRecord
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError

_INTERVAL = 0.2
"""Seconds between two looks at the process."""


class Serving(Word):
    """What `--json` prints once the process answers."""

    url: str
    """The base URL that OpenAI clients take."""

    token: str
    """The API key."""

    pid: int


def command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0 for any free port.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it answers; it leaves when idle.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say whether a process serves; starts none.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the process that serves.")] = False,
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
    if status:
        _status(json=json)
    if stop:
        _stop(json=json)
    running = endpoint.find()
    if running is not None and port not in (0, running.port):
        raise WorkbenchError(
            "port-busy",
            f"The inference process of this user runs already, on port {running.port}.",
            f"Use {running.url}, or stop it with `peftw serve --stop` and start it on port {port}.",
        )
    foreground = not detach and running is None

    def start() -> ServeRecord:
        return ensure_running(
            python=python,
            port=port,
            idle_minutes=0 if foreground and idle_minutes is None else idle_minutes,
            parent=ProcessIdentity.current() if foreground else None,
            progress=lambda sentence: err.print(sentence, style="dim", markup=False),
        )

    if foreground:
        _stay(start, json=json)
    _announce(start(), json=json)
    if running is not None:
        err.print("It was running already; stop it with `peftw serve --stop`.", style="dim", markup=False)


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


def _status(*, json: bool) -> NoReturn:
    now = endpoint.status()
    if json:
        print_json(now)
    else:
        where = f" at {now.url}, process {now.pid}, in memory: {', '.join(now.loaded) or 'nothing'}" if now.url else ""
        out.print(f"{now.state}{where}", markup=False)
    finish(OK)


def _stop(*, json: bool) -> NoReturn:
    stopped = endpoint.stop()
    if json:
        print_json(endpoint.status())
    else:
        out.print("Stopped." if stopped else "Nothing was running.", markup=False)
    finish(OK)
