"""Starting the inference process when it is needed."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from peft_daemon.serving.endpoint import ask, find
from peft_engine.home import home, logs_dir
from peft_engine.process import ProcessIdentity, spawn_detached
from peft_engine.serve_lock import ALREADY_SERVED, serve_owner
from peft_engine.serve_record import ServeRecord
from peft_schemas.errors import ErrorReport, WorkbenchError

START_LIMIT = 120.0
"""Seconds. An idle machine needs one; a loaded one ten times as much."""

_INTERVAL = 0.05
"""Seconds between two looks while waiting."""


def ensure_running(
    *,
    python: str = sys.executable,
    port: int = 0,
    idle_minutes: float | None = None,
    threads: int | None = None,
    load: Sequence[str] = (),
    parent: ProcessIdentity | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ServeRecord:
    """Return where the inference process of this user answers, starting it if none runs.

    Any number of clients may do this at once: one process comes to serve them all.

    Args:
        python: The interpreter that serves.
        port: Where a new process listens; 0 for the port of the settings, else of the last time, else any free one.
        idle_minutes: After how long without a request a new process leaves, 0 for never; None as the settings say.
        threads: Processor threads with which a new process computes; None for what the settings say.
        load: Models that a new process loads at once, in place of those of the settings.
        parent: A process with which a new one ends.
        progress: Told what is being waited for.

    Raises:
        WorkbenchError: It could not be started; the sentence is its own where it gave one.
    """
    record = find()
    if record is not None and ask(record) is not None:
        return record
    command = _command(python, port=port, idle_minutes=idle_minutes, threads=threads, load=load, parent=parent)
    logs_dir().mkdir(parents=True, exist_ok=True)
    log = logs_dir() / "serve.log"
    progress("starting the inference process")
    child: ProcessIdentity | None = None
    offset = 0
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        record = find()
        if record is not None and ask(record) is not None:
            return record
        if child is not None and not child.alive():
            error = _last_words(log, offset)
            if error is not None:
                raise WorkbenchError(error.code, error.message, error.remedy)
        if serve_owner() is None and (child is None or not child.alive()):
            if child is not None and not _gave_way(log, offset):
                raise _crashed(log, offset)
            offset = log.stat().st_size if log.exists() else 0
            child = _spawn(command, log)
        time.sleep(_INTERVAL)
    raise WorkbenchError(
        "serve-failed",
        f"The inference process did not answer within {START_LIMIT:.0f} seconds.",
        f"Look at {log}, and try again when the machine is less busy.",
    )


def runs_elsewhere(record: ServeRecord, port: int) -> WorkbenchError:
    """Return the error of who wants the process on a port while it runs on another one."""
    return WorkbenchError(
        "port-busy",
        f"The inference process of this user runs already, on port {record.port}.",
        f"Use {record.url}, or stop it with `peftw serve stop` and start it on port {port}.",
    )


def _spawn(command: list[str], log: Path) -> ProcessIdentity:
    try:
        return spawn_detached(command, log=log, cwd=home())
    except OSError as error:
        raise WorkbenchError(
            "serve-failed",
            f"The interpreter {command[0]} cannot be run: {error.strerror}.",
            "Choose another with --python or in the settings, and check it with `peftw doctor`.",
        ) from error


def _command(
    python: str,
    *,
    port: int,
    idle_minutes: float | None,
    threads: int | None,
    load: Sequence[str],
    parent: ProcessIdentity | None,
) -> list[str]:
    # -P keeps the working directory out of the module path. The token never stands in a command line.
    command = [python, "-P", "-m", "peft_engine.inference", "--home", str(home()), "--port", str(port)]
    if idle_minutes is not None:
        command += ["--idle-minutes", str(idle_minutes)]
    if threads is not None:
        command += ["--threads", str(threads)]
    for model in load:
        command += ["--load", model]
    if parent is not None:
        command += ["--parent", f"{parent.pid}:{parent.started}"]
    return command


def _last_words(log: Path, offset: int) -> ErrorReport | None:
    """Return the error that the process wrote to its log after `offset`, if it wrote one."""
    for line in reversed(_lines(log, offset)):
        try:
            return ErrorReport.model_validate_json(line)
        except ValidationError:
            continue
    return None


def _gave_way(log: Path, offset: int) -> bool:
    """Tell whether our process left because another one served, which has left in the meantime."""
    return any(ALREADY_SERVED in line for line in _lines(log, offset))


def _crashed(log: Path, offset: int) -> WorkbenchError:
    lines = _lines(log, offset)
    detail = f": {lines[-1]}" if lines else ", without a word"
    return WorkbenchError(
        "serve-failed",
        f"The inference process ended as it started{detail}.",
        f"Look at {log}, and check the installation with `peftw doctor`.",
    )


def _lines(log: Path, offset: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(offset)
        return [line for line in file.read().decode("utf-8", errors="replace").splitlines() if line.strip()]
