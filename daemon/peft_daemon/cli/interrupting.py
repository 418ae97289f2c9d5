"""Ctrl-C for commands that write files: heard between two pieces, so that what was begun is removed in peace."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from peft_daemon.cli.output import INTERRUPTED, err, finish
from peft_engine.cancelling import Cancelled

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, an order to end, and a terminal that was closed."""


@contextmanager
def interruptible(outcome: str) -> Iterator[Callable[[], bool]]:
    """Yield what tells whether the user wants the work ended; where that ended it, say so and exit.

    Args:
        outcome: What is said then, for people.
    """
    asked = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            # Whatever it hangs on, a user who asks twice does not wait for it.
            raise KeyboardInterrupt
        asked.set()

    # Who started this with a signal ignored, as nohup does, wants it ignored.
    before = {end: found for end in _ENDS if (found := signal.getsignal(end)) is not signal.SIG_IGN}
    for end in before:
        signal.signal(end, hear)
    try:
        yield asked.is_set
    except Cancelled:
        err.print(outcome, markup=False)
        finish(INTERRUPTED)
    finally:
        for end, handler in before.items():
            signal.signal(end, handler)
