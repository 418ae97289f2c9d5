"""A person's wish that the run end: SIGTERM, or `control.json`."""

import signal
from types import FrameType

from peft_engine.rundir import RunDirectory


class StopRequested(Exception):
    """The wish was noticed where there is nothing to save."""


class StopRequest:
    """The wish, remembered once it was uttered."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._signalled = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the wish from now on, instead of dying of them."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def requested(self) -> bool:
        """Tell whether the run shall end; costs one read of a small file."""
        if not self._signalled:
            self._signalled = self._run.read_control().command == "stop"
        return self._signalled

    def check(self) -> None:
        """Give up now if the run shall end; called where there is nothing to save.

        Raises:
            StopRequested: It shall.
        """
        if self.requested():
            raise StopRequested

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled = True
