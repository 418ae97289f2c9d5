"""The first process starts the others on this machine, and finds out which one ended the run, and why. Light.

Not torch's own launcher: it gives each process a session of its own, which neither a kill of the worker's process group
nor the worker's death reaches, and takes for itself the SIGTERM on which a run ends at a step edge. The processes find
each other as under that launcher, so that `torchrun` can start them on several machines.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from peft_engine.rundir import RunDirectory
from peft_engine.rundir.moves import move
from peft_engine.training.distributed.place import Place
from peft_engine.training.failures import LOST_PEER, is_lost_peer
from peft_schemas.errors import ErrorReport, WorkbenchError
from peft_schemas.events import ControlFile

PARENT = "PEFTW_TOGETHER_PARENT"
"""The process id of the worker that started this process."""

_GRACE = 20.0
"""Seconds in which a process ends by itself once it has lost another."""

_LOOK = 0.2
"""Seconds between two looks at the processes."""


@contextmanager
def together(run: RunDirectory, processes: int, give_up: Callable[[ErrorReport], None]) -> Iterator[Place]:
    """Have others train with this process, which leads them; none of them outlives this.

    Args:
        run: The run.
        processes: How many in all.
        give_up: Called from another thread with why the run failed, when this process waits in vain for one that
            ended, and cannot be told: GPUs wait for each other for ever. It must not return.

    Yields:
        The place of this process.

    Raises:
        WorkbenchError: One of the others ended the run; it says why (`worker-killed`, or that one's own error).
    """
    with TemporaryDirectory(prefix="peftw-together-") as name:
        first = Place(processes=processes, local_processes=processes, folder=Path(name))
        own = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", _threads(processes)), **first.environment()}
        before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)
        started = [_start(run, replace(first, rank=rank, local_rank=rank)) for rank in range(1, processes)]
        left = threading.Event()

        def watch() -> None:
            while not left.wait(_LOOK):
                if any(process.poll() for process in started) and not left.wait(_GRACE):
                    give_up(_cause(run, Path(name), started))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield first
        except Exception as error:
            if not is_lost_peer(error):
                raise
            _await_end(started)
            report = _cause(run, Path(name), started)
            raise WorkbenchError(report.code, report.message, report.remedy) from error
        finally:
            left.set()
            watcher.join()
            for process in started:
                process.kill()
                process.wait()
            # The worker may start anew in this environment, to wait for the run's next turn.
            for variable, value in before.items():
                os.environ.pop(variable)
                os.environ.update({} if value is None else {variable: value})


def take_up(run: RunDirectory) -> None:
    """Have a run that rests await the worker that somebody has started by hand, where it stands or from its beginning.

    To be called while speaking for the run.
    """
    state = run.read_state()
    if state.state in ("paused", "failed", "stopped"):
        # A run that was laid out has no worker behind it.
        attempt = state.attempt + 1 if run.events.is_file() else state.attempt
        run.write_control(ControlFile())
        run.write_state(move(state, "queued", attempt=attempt, error=None))


def tell(place: Place, report: ErrorReport) -> None:
    """Leave the first process word of why this one ends."""
    if place.folder is not None:
        _word(place.folder, place.rank).write_text(report.model_dump_json(), encoding="utf-8")


def _threads(processes: int) -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return str(max(cores // processes, 1))


def _start(run: RunDirectory, place: Place) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "peft_engine.training", str(run.path)],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **place.environment(), PARENT: str(os.getpid())},
    )


def _await_end(started: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Wait until one has failed: the connection to it is lost a moment before it has ended."""
    deadline = time.monotonic() + _GRACE
    while not any(process.poll() for process in started) and time.monotonic() < deadline:
        time.sleep(_LOOK)


def _cause(run: RunDirectory, folder: Path, started: Sequence["subprocess.Popen[bytes]"]) -> ErrorReport:
    """Return why a process failed; that others lost it is no cause of its own."""
    processes = len(started) + 1
    for number in range(1, processes):
        with suppress(OSError, ValidationError):
            return ErrorReport.model_validate_json(_word(folder, number).read_bytes())
    codes = {rank: process.poll() for rank, process in enumerate(started, start=1)}
    rank, code = next(((n, code) for n, code in codes.items() if code not in (None, 0, LOST_PEER)), (None, None))
    who = "One" if rank is None else f"Number {rank + 1}"
    how = f"was killed by {signal.Signals(-code).name}" if code is not None and code < 0 else "ended without a word"
    return ErrorReport(
        code="worker-killed",
        message=f"{who} of the {processes} processes that trained run {run.id} together {how}.",
        remedy="Look at worker.log in the run's directory; a machine that is short of memory kills processes so.",
    )


def _word(folder: Path, rank: int) -> Path:
    return folder / f"failed-{rank}.json"
