"""Being one of the processes that train a run together, and not the first: to compute, and to say nothing. Light."""

import ctypes
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from peft_engine.rundir import RunDirectory
from peft_engine.training.control import Control, Interrupted
from peft_engine.training.distributed.place import Place
from peft_engine.training.distributed.start import PARENT, tell
from peft_engine.training.failures import LOST_PEER, describe, is_lost_peer
from peft_engine.training.journal import Journal

_PR_SET_PDEATHSIG = 1
_LOOK = 0.5
"""Seconds between two looks at the parent, where the kernel cannot be asked to tell of its death."""


def follow(run: RunDirectory, place: Place, train: Callable[[Journal, Control], object]) -> int:
    """Train along with the first process, which alone writes the run directory and hears people.

    Journal and control are those of a directory aside, which nobody reads and in which nothing is ever asked.

    Args:
        run: The run.
        place: Of this process.
        train: Does the work of a worker.

    Returns:
        0 when the loop was left as all others left it, `LOST_PEER` when another process was gone, 1 when this failed.
    """
    if PARENT in os.environ:
        _end_with(int(os.environ[PARENT]))
    # Whoever wants the run to end tells the first process, which leaves the loop together with this one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with TemporaryDirectory(prefix="peftw-follow-", dir=place.folder) as name:
        aside = RunDirectory(Path(name) / run.id)
        aside.path.mkdir()
        shutil.copyfile(run.path / "state.json", aside.path / "state.json")
        aside.write_state(aside.read_state().model_copy(update={"state": "preparing"}))
        try:
            train(Journal(aside), Control(aside))
        except Interrupted:
            return 0
        except BaseException as error:
            traceback.print_exc()
            if is_lost_peer(error):
                return LOST_PEER
            tell(place, describe(error))
            return 1
    return 0


def _end_with(parent: int) -> None:
    """Have this process killed as soon as its parent is gone, however that ended.

    Processes that train together wait for each other; one that is left behind would hold its device for ever.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGKILL)
