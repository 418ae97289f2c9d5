"""Processes that outlive their parent, identified so that a reused pid is never mistaken for one of ours."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_START_TIME_TOLERANCE = 0.05
"""Seconds. The kernel counts start times in clock ticks of 10 ms."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A pid together with the process's start time, in seconds since the epoch."""

    pid: int
    started: float

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """Return the identity of the calling process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """Return the identity of a live process.

        Raises:
            psutil.NoSuchProcess: No process has that pid.
        """
        return cls(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """Tell whether this very process still runs. A zombie has ended."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > _START_TIME_TOLERANCE:
                return False
            return process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def is_stopped(self) -> bool:
        """Tell whether this very process was stopped by a signal and waits for the one that lets it go on."""
        try:
            return self.alive() and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.Error:
            return False

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to the process's group, if this very process still leads it; tell whether it was sent."""
        if not self.alive():
            return False
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def spawn_detached(
    command: Sequence[str], *, log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> ProcessIdentity:
    """Start a process in a session of its own, with its output in `log`, so that it outlives whoever started it."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=None if env is None else dict(env),
            start_new_session=True,
            close_fds=True,
        )
    return ProcessIdentity.of(process.pid)
