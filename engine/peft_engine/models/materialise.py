"""Making a base model ready to train, once for all runs on this machine.

The work is done by a child process (`peft_engine.models.convert`): it needs torch and a gigabyte, it can be cut off at
any moment, and whoever waits for it stays light.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread

from pydantic import ValidationError

from peft_engine.models.resolve import ResolvedBase, resolve_base
from peft_schemas.errors import ErrorReport, WorkbenchError

_POLL = 0.2
"""Seconds between two looks at whether the caller still wants the model."""


class Cancelled(Exception):
    """The caller no longer wants the model; nothing half-made is left."""


def materialise(
    resolved: ResolvedBase,
    progress: Callable[[str], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    *,
    python: str = sys.executable,
) -> ResolvedBase:
    """Return the same base with its `hf_dir` set: downloaded from the hub, or converted from its GGUF file.

    Args:
        resolved: What `resolve_base` found. Returned as it is when it has a folder already.
        progress: Told what is being done, for people.
        cancelled: Asked a few times a second.
        python: An interpreter with the training extra.

    Raises:
        Cancelled: `cancelled` said so.
        WorkbenchError: The hub does not have it or is out of reach (`model-missing`), the file cannot be converted
            (`model-unreadable`), or the disk is full (`disk-full`).
    """
    if resolved.hf_dir is not None:
        return resolved
    request = json.dumps({"base": resolved.base, "revision": resolved.revision, "gguf": _text(resolved.gguf)})
    child = subprocess.Popen(
        [python, "-m", "peft_engine.models.convert", request, str(resolved.cache)],
        stdin=subprocess.PIPE,  # never written to: its end tells the child that we are gone
        stdout=subprocess.PIPE,
        text=True,
    )
    lines: Queue[str] = Queue()
    Thread(target=_forward, args=(child, lines), daemon=True).start()
    error: ErrorReport | None = None
    try:
        while child.poll() is None or not lines.empty():
            if cancelled():
                raise Cancelled
            try:
                message = json.loads(lines.get(timeout=_POLL))
            except (Empty, ValueError):
                continue
            if "progress" in message:
                progress(message["progress"])
            elif "error" in message:
                error = _report(message["error"])
    finally:
        _end(child)
    if error is not None:
        raise WorkbenchError(error.code, error.message, error.remedy)
    if child.returncode != 0:
        raise WorkbenchError(
            "model-unreadable",
            f"Preparing {resolved.base} ended unexpectedly (exit code {child.returncode}).",
            "Look at worker.log in the run's directory; the machine may have run out of memory.",
        )
    return _found(resolved)


def _found(resolved: ResolvedBase) -> ResolvedBase:
    found = resolve_base(resolved.base if resolved.origin != "path" else str(resolved.gguf), resolved.revision)
    if found.hf_dir is None:
        raise WorkbenchError(
            "model-unreadable",
            f"{resolved.base} was prepared, but no model is at {resolved.cache}.",
            "Run it again; if this repeats, remove that folder.",
        )
    return found


def _forward(child: "subprocess.Popen[str]", lines: "Queue[str]") -> None:
    for line in child.stdout or ():
        lines.put(line)


def _end(child: "subprocess.Popen[str]") -> None:
    """Close the child's input, which tells it to end, and see that it did."""
    if child.stdin is not None:
        child.stdin.close()
    deadline = time.monotonic() + 5
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if child.poll() is None:
        child.kill()
        child.wait()


def _report(value: object) -> ErrorReport:
    try:
        return ErrorReport.model_validate(value)
    except ValidationError:
        return ErrorReport(code="internal", message=str(value), remedy="Look at worker.log in the run's directory.")


def _text(path: object) -> str | None:
    return None if path is None else str(path)
