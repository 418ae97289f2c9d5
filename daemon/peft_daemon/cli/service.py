"""`peftw service print`: how to have models served from login on, by what the system has for that."""

import plistlib
import shlex
import sys
from enum import StrEnum
from typing import Annotated

import typer

from peft_daemon.cli.output import err
from peft_engine.home import home, logs_dir

app = typer.Typer(no_args_is_help=True, help="Serve models from login on.")

_LABEL = "dev.peft-workbench.serve"

_UNIT = """\
[Unit]
Description=PEFT Workbench: local models behind an OpenAI-compatible API

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=30

[Install]
WantedBy=default.target
"""


class Manager(StrEnum):
    """What starts a user's services."""

    systemd = "systemd"
    launchd = "launchd"


@app.callback()
def _group() -> None:
    """Keep `print` a command of its own."""


@app.command("print")
def command(
    manager: Annotated[Manager, typer.Option(help="What starts services.", show_default="that of this system")] = (
        Manager.launchd if sys.platform == "darwin" else Manager.systemd
    ),
    python: Annotated[
        str, typer.Option(help="The interpreter that serves.", envvar="PEFTW_PYTHON", show_default=False)
    ] = sys.executable,
) -> None:
    """Print a service file for this user, and on stderr where it goes. Nothing is installed."""
    arguments = [python, "-P", "-m", "peft_engine.inference", "--home", str(home()), "--idle-minutes", "0"]
    if manager is Manager.systemd:
        # A percent sign begins one of systemd's own words.
        typer.echo(_UNIT.format(command=shlex.join(arguments).replace("%", "%%")), nl=False)
        where = "~/.config/systemd/user/peft-workbench.service, then: systemctl --user enable --now peft-workbench"
    else:
        log = str(logs_dir() / "serve.log")
        service = {
            "Label": _LABEL,
            "ProgramArguments": arguments,
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 30,
            "StandardOutPath": log,
            "StandardErrorPath": log,
        }
        typer.echo(plistlib.dumps(service).decode(), nl=False)
        where = f"~/Library/LaunchAgents/{_LABEL}.plist, then: launchctl load -w ~/Library/LaunchAgents/{_LABEL}.plist"
    err.print(f"Save it as {where}", style="dim", markup=False)
