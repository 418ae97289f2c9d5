"""Following a child process that says what it does, one JSON object a line, and ends when its stdin does."""

import json
import subprocess
import time
from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread
from typing import Any

from pydantic import ValidationError

from peft_engine.cancelling import Cancelled
from peft_schemas.errors import ErrorReport, WorkbenchError

_POLL = 0.2
"""Seconds between two looks at whether the caller still wants the result."""

_PATIENCE = 5
"""Seconds that the child has to end by itself."""


def follow_child(command: list[str], hear: Callable[[dict[str, Any]], None], cancelled: Callable[[], bool]) -> int:
    """Run a child to its end and return its exit code.

    Args:
        command: The program and its arguments.
        hear: Told each line that is an object, in order, all but errors.
        cancelled: Asked a few times a second.

    Raises:
        Cancelled: `cancelled` said so; the child is gone.
        WorkbenchError: The child said `{"error": report}`.
    """
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # never written to: its end tells the child that we are gone
        stdout=subprocess.PIPE,
        text=True,
    )
    lines: Queue[str] = Queue()
    reader = Thread(target=_forward, args=(child, lines), daemon=True)
    reader.start()
    error: ErrorReport | None = None
    given_up = False
    try:
        while reader.is_alive() or not lines.empty():
            if not given_up and cancelled():
                # What it says on its way out is heard, too: it may have been done already.
                given_up = True
                _end(child)
            try:
                message = json.loads(lines.get(timeout=_POLL))
            except (Empty, ValueError):
                continue
            if isinstance(message, dict) and "error" in message:
                error = _report(message["error"])
            elif isinstance(message, dict):
                hear(message)
    finally:
        _end(child)
    if given_up:
        raise Cancelled
    if error is not None:
        raise WorkbenchError(error.code, error.message, error.remedy)
    return child.returncode


def _forward(child: "subprocess.Popen[str]", lines: "Queue[str]") -> None:
    for line in child.stdout or ():
        lines.put(line)


def _end(child: "subprocess.Popen[str]") -> None:
    """Close the child's input, which tells it to end, and see that it did."""
    if child.stdin is not None:
        child.stdin.close()
    deadline = time.monotonic() + _PATIENCE
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if child.poll() is None:
        child.kill()
        child.wait()


def _report(value: object) -> ErrorReport:
    try:
        return ErrorReport.model_validate(value)
    except ValidationError:
        return ErrorReport(code="internal", message=str(value), remedy="Run the same command with --debug.")
