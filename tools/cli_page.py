"""The reference page of the command line, written from its own declarations."""

from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from peft_daemon.cli.app import app
from peft_daemon.cli.output import FAILURE, INTERRUPTED, OK, USAGE
from peft_daemon.language.rules.values import written

_KINDS = {int: "whole number", float: "number", str: "text", Path: "path"}


def cli_page(notice: str) -> str:
    """Return the page that lists every command with its arguments and options."""
    root: Any = get_command(app)
    lines = ["# The command line", "", f"<!-- {notice} -->", "", root.help, ""]
    lines += [
        f"Exit codes: {OK} done, {FAILURE} a finding of error severity or a failure, {USAGE} wrong usage, "
        f"{INTERRUPTED} interrupted. `-h` after any command says what stands here.",
        "",
    ]
    lines += ["## `peftw`", "", *_table(root.params)]
    for name, command in sorted(root.commands.items()):
        # A command that only holds others has no action of its own to describe.
        if getattr(command, "invoke_without_command", True):
            lines += _command(name, command)
        for sub, below in getattr(command, "commands", {}).items():
            lines += _command(f"{name} {sub}", below)
    return "\n".join(lines)


def _command(path: str, command: Any) -> list[str]:
    arguments = [_argument(param) for param in command.params if param.param_type_name == "argument"]
    usage = " ".join(["peftw", path, *arguments])
    return [f"## `{usage}`", "", *command.help.strip().splitlines(), "", *_table(command.params)]


def _table(params: list[Any]) -> list[str]:
    if not params:
        return []
    lines = ["| name | takes | default | meaning |", "|---|---|---|---|"]
    for param in params:
        is_argument = param.param_type_name == "argument"
        name = _argument(param) if is_argument else ", ".join(param.opts)
        lines.append(f"| `{name}` | {_takes(param)} | {_default(param)} | {param.help} |")
    return [*lines, ""]


def _argument(param: Any) -> str:
    return (param.metavar or param.name.upper()) + ("…" if param.nargs == -1 else "")


def _takes(param: Any) -> str:
    if getattr(param, "is_flag", False):
        return ""
    annotation = param.type_descriptor.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{choice.value}`" for choice in annotation)
    kinds = (annotation, *get_args(annotation))
    takes = next(kind for type_, kind in _KINDS.items() if type_ in kinds)
    limits = (("at least", param.min), ("at most", param.max))
    bounds = " and ".join(f"{word} {bound}" for word, bound in limits if bound is not None)
    return f"{takes}, {bounds}" if bounds else takes


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if isinstance(param.show_default, str):
        return param.show_default
    if param.envvar:  # whose default is of this machine
        return f"`{param.envvar}`, else the Python that runs `peftw`"
    return "" if param.default is None or param.default is False else f"`{written(param.default)}`"
