"""What a person asks of the worker: `control.json`, SIGTERM, or a schedule that speaks for them. Light."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Literal

from peft_engine.rundir import RunDirectory
from peft_schemas.events import RecoveryRequest

Command = Literal["run", "pause", "stop", "cancel", "requeue"]
"""What `control.json` can say, and `requeue`, which only the worker itself asks for: leave the device to others, and go
on when it is the run's turn again."""

_RANK: dict[Command, int] = {"run": 0, "requeue": 1, "pause": 2, "stop": 3, "cancel": 4}
"""A wish to end stays; only one that goes further takes its place."""


class Interrupted(Exception):
    """The run shall not go on, noticed where there is nothing to save. `Control.command` says what is asked."""


class Control:
    """The wish, remembered once it was uttered."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._asked: Command = "run"
        self._closes: Callable[[], bool] | None = None

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the wish to stop from now on, instead of dying of them."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

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

    def removes(self) -> bool:
        """Tell whether a cancelled run shall lose its checkpoints too."""
        return self._run.read_control().remove

    def recoveries(self) -> list[RecoveryRequest]:
        """Return every recovery that was asked for so far, oldest first; each has an id, to be done once."""
        return self._run.read_control().recoveries

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask("stop")
