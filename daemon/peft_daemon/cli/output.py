"""What commands print, and how they end.

Results go to stdout, everything said beside them to stderr, so that a script can read the one without the other.
"""

import sys
from typing import NoReturn

from pydantic import BaseModel
from rich.console import Console

from peft_schemas.errors import ErrorReport

OK = 0
FAILURE = 1
"""Findings of error severity, a failed run, or any error with a remedy."""
USAGE = 2
INTERRUPTED = 130

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: BaseModel) -> None:
    """Print one value of the vocabulary as one line of JSON, at once."""
    sys.stdout.write(value.model_dump_json() + "\n")
    sys.stdout.flush()


def show_error(error: ErrorReport) -> None:
    """Say what is wrong and what to do."""
    err.print(f"[bold red]error[/] [dim]{error.code}[/]  ", end="")
    err.print(error.message, markup=False)
    err.print(f"  {error.remedy}", markup=False, style="dim")


def finish(code: int) -> NoReturn:
    """End the command with an exit code."""
    raise SystemExit(code)
