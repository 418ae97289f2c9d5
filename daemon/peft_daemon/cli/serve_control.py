"""`peftw serve status|stop|restart|load|unload|switch|pin`: what runs, and what it has in memory."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from peft_daemon.cli.output import err, out, print_json
from peft_daemon.serving import control, endpoint
from peft_daemon.serving.launch import ensure_running
from peft_engine.catalog import list_servable
from peft_schemas.serving import ResidentModel, ServeStatus

_Json = Annotated[bool, typer.Option("--json", help="Print the status as one line of JSON.")]
_Model = Annotated[str, typer.Argument(help="A model id, as `peftw models` lists them.")]
_Python = Annotated[str, typer.Option(help="The interpreter that serves.", envvar="PEFTW_PYTHON", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add the commands to those of `peftw serve`."""
    for name, function in (
        ("status", _status),
        ("stop", _stop),
        ("restart", _restart),
        ("load", _load),
        ("unload", _unload),
        ("switch", _switch),
        ("pin", _pin),
    ):
        app.command(name)(function)


def _status(json: _Json = False) -> None:
    """Say what is served; starts nothing."""
    status = endpoint.status()
    if status.state == "stopped" and endpoint.left_without_a_word() is not None:
        status = ServeStatus(state="error", error=endpoint.KILLED)
    _show(status, json=json)


def _stop(json: _Json = False) -> None:
    """Stop the process that serves."""
    stopped = endpoint.stop()
    if json:
        _show(endpoint.status(), json=True)
    else:
        out.print("Stopped." if stopped else "Nothing was running.", markup=False)


def _restart(json: _Json = False, python: _Python = sys.executable) -> None:
    """Stop the process that serves and start it on the same port, with the same key."""
    endpoint.stop()
    ensure_running(python=python)
    _show(endpoint.status(), json=json)


def _load(model: _Model, json: _Json = False, python: _Python = sys.executable) -> None:
    """Bring a model's base into memory; Ctrl-C gives it up."""
    _change(control.load(model, python=python), f"loading {model}", json=json)


def _unload(model: _Model, json: _Json = False) -> None:
    """Free a model's base once its answers are complete."""
    _change(control.unload(model), f"unloading {model}", json=json)


def _switch(model: _Model, json: _Json = False, python: _Python = sys.executable) -> None:
    """Load a model, then let `default` stand for it."""
    _change(control.switch(model, python=python), f"switching to {model}", json=json)


def _pin(
    model: _Model,
    off: Annotated[bool, typer.Option("--off", help="Let it go again when memory is wanted.")] = False,
    json: _Json = False,
    python: _Python = sys.executable,
) -> None:
    """Keep a model's base in memory once it is there."""
    _change(control.pin(model, pinned=not off, python=python), f"pinning {model}", json=json)


def _change(change: Coroutine[Any, Any, ServeStatus], doing: str, *, json: bool) -> None:
    err.print(doing, style="dim", markup=False)
    _show(asyncio.run(change), json=json)


def _show(status: ServeStatus, *, json: bool) -> None:
    if json:
        print_json(status)
        return
    out.print(f"{status.state}{f' at {status.url}, process {status.pid}' if status.url else ''}", markup=False)
    if status.error is not None:
        out.print(f"{status.error.message} {status.error.remedy}", markup=False)
    if status.model is not None:
        out.print(f"default  {status.model}", markup=False)
    names = _names(status.models)
    for model in status.models:
        out.print(f"{model.state:<8} {names.get(model.base, model.base)}{_details(model)}", markup=False)


def _names(models: list[ResidentModel]) -> dict[str, str]:
    """Return what the library calls bases that are known here by the paths of their files."""
    paths = {model.base for model in models if Path(model.base).is_absolute()}
    known = list_servable() if paths else []
    return {one.base: one.id for one in known if one.base in paths and one.definition is not None and not one.adapters}


def _details(model: ResidentModel) -> str:
    if model.error is not None:
        return f"  {model.error.message}"
    share = "" if model.progress is None else f"{model.progress:.0%}"
    pinned = "pinned" if model.pinned else ""
    return "".join(f"  {detail}" for detail in (f"{model.memory_bytes / 1e6:,.0f} MB", share, pinned) if detail)
