"""What a person asks of the worker: `control.json`, SIGTERM, or a schedule that speaks for them. Light."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from peft_engine.rundir import RunDirectory
from peft_schemas.events import RecoveryRequest

Command = Literal["run", "pause", "stop", "cancel", "requeue"]
"""What `control.json` can say, and `requeue`, which only the worker itself asks for: leave the device to others, and go
on when it is the run's turn again."""

_RANK: dict[Command, int] = {"run": 0, "requeue": 1, "pause": 2, "stop": 3, "cancel": 4}
"""A wish to end stays; only one that goes further takes its place."""


_LOOK = 0.25
"""Seconds between two looks whether something is asked that breaks off what is being done."""


class Interrupted(Exception):
    """The run shall not go on, noticed where there is nothing to save. `Control.command` says what is asked."""


class _BrokenOff(BaseException):
    """Raised wherever the worker is. Of no kind that a library would take for a fault of its own."""


class Control:
    """The wish, remembered once it was uttered."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._asked: Command = "run"
        self._closes: Callable[[], bool] | None = None
        self._listens = False
        self._may_break_off = False
        self._broken_off = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the wish to stop from now on, instead of dying of them."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGUSR1, self._on_break)
        self._listens = True

    def ask(self, command: Command) -> None:
        """Ask for something from inside the worker, as a schedule or a recovery does."""
        if _RANK[command] > _RANK[self._asked]:
            self._asked = command

    def heed(self, closes: Callable[[], bool]) -> None:
        """Look from now on also whether the run's schedule closes, which puts it back into the queue."""
        self._closes = closes

    def command(self) -> Command:
        """Return what is asked now; costs one read of a small file."""
        self.ask(self._run.read_control().command)
        if self._closes is not None and self._closes():
            self.ask("requeue")
        return self._asked

    def requested(self) -> bool:
        """Tell whether the run shall end or rest."""
        return self.command() != "run"

    def check(self) -> None:
        """Give up now if the run shall not go on; called where there is nothing to save.

        Raises:
            Interrupted: It shall not.
        """
        if self.requested():
            raise Interrupted

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Have the block broken off, wherever it is, as soon as the run shall not go on.

        For what takes long, has no place of its own to look, and leaves nothing behind, as importing torch. Without
        `listen`, nothing is broken off.

        Raises:
            Interrupted: It was.
        """
        if not self._listens:
            yield
            return
        left = threading.Event()
        watcher = threading.Thread(target=self._break_off_on_wish, args=(left,), daemon=True)
        self._may_break_off = True
        try:
            try:
                watcher.start()
                yield
            finally:
                self._may_break_off = False
                left.set()
        except BaseException as error:
            # Whatever a library made of it.
            if self._broken_off:
                raise Interrupted from error
            raise

    def _break_off_on_wish(self, left: threading.Event) -> None:
        while not left.wait(_LOOK):
            if self.requested():
                # A signal and not a call: it also ends what waits in the kernel.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                return

    def removes(self) -> bool:
        """Tell whether a cancelled run shall lose its checkpoints too."""
        return self._run.read_control().remove

    def recoveries(self) -> list[RecoveryRequest]:
        """Return every recovery that was asked for so far, oldest first; each has an id, to be done once."""
        return self._run.read_control().recoveries

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask("stop")

    def _on_break(self, _number: int, _frame: FrameType | None) -> None:
        if self._may_break_off:
            self._may_break_off, self._broken_off = False, True
            raise _BrokenOff
