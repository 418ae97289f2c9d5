"""`peftw check`: every fault of a config, before anything is started."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from peft_daemon.cli.check_formats import github, print_text, report, sarif
from peft_daemon.cli.output import FAILURE, OK, USAGE, finish, out, print_json, show_error
from peft_daemon.language.check import check_file
from peft_schemas.errors import WorkbenchError

Format = Literal["text", "json", "sarif", "github"]

_SKIPPED = {".git", ".venv", "node_modules", "__pycache__"}


def command(
    paths: Annotated[list[Path], typer.Argument(help="Config files, and folders to search for *.peft.yaml.")],
    format: Annotated[Format, typer.Option("--format", help="How findings are printed.")] = "text",
) -> None:
    """Check configs and print every finding with its place and its fix. Exit code 1 when one is an error."""
    try:
        files = [check_file(path) for path in _configs(paths)]
    except WorkbenchError as error:
        show_error(error.report())
        finish(USAGE)
    if format == "json":
        print_json(report(files))
    elif format == "sarif":
        sys.stdout.write(json.dumps(sarif(files), indent=2, ensure_ascii=False) + "\n")
    elif format == "github":
        for line in github(files):
            sys.stdout.write(line + "\n")
    else:
        print_text(out, files)
    finish(FAILURE if report(files).summary["error"] else OK)


def _configs(paths: list[Path]) -> Iterator[Path]:
    """Yield the files among `paths` and the configs below the folders among them.

    Raises:
        WorkbenchError: A folder holds no config (`config-missing`).
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(_search(path))
        if not found:
            raise WorkbenchError(
                "config-missing", f"There is no *.peft.yaml below {path}.", "Name a config file or another folder."
            )
        yield from found


def _search(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        yield from (Path(parent) / name for name in names if name.endswith((".peft.yaml", ".peft.yml")))
