"""Processes that are killed at a line of our own code, and at the next, so that no moment is left to chance."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import peft_daemon.runs
import peft_engine

EVERY = bool(os.environ.get("PEFTW_CRASH"))
"""Whether to die at every line, and not only at some that are spread over all."""

_ENGINE = Path(peft_engine.__path__[0])
_WATCHED = ("rundir", "queue", "files.py", "databases.py", "migrations.py", "notes.py", "versions.py")
_OURS = (peft_daemon.runs.__path__[0], *(str(_ENGINE / name) for name in _WATCHED))
_LIBRARY = ("shutil.py", "tempfile.py")
"""Of Python's own, what removes whole trees and makes files to be renamed: it can be cut off in the middle."""

Subject = TypeVar("Subject")


def every_death(prepare: Callable[[], Subject], do: Callable[[Subject], object], few: int = 25) -> Iterator[Subject]:
    """Do something again and again, each time killed at a later line, and yield what it was done to.

    Args:
        prepare: Makes what it is done to, anew each time.
        do: What is done, in a process of its own.
        few: At how many lines it is killed where it is not at every one.
    """
    lines = _live(partial(do, prepare()), None)
    assert lines, "nothing of ours was run"
    step = 1 if EVERY else max(1, lines // few)
    for at in count(1, step):
        # How many lines it takes depends a little on what lies about, so the end is where it is not killed any more.
        assert at < 10 * lines, "what is prepared grows, so that it never comes to its end"
        subject = prepare()
        if _live(partial(do, subject), at) is not None:
            return
        yield subject


def _live(do: Callable[[], object], last: int | None) -> int | None:
    """Do something in a process that dies at a line; return how many lines it took, None if it died."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _be(do, last, writing)
    os.close(writing)
    with os.fdopen(reading) as said:
        lines = said.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert status == 0, "it failed, see above"
    return int(lines)


def _be(do: Callable[[], object], last: int | None, writing: int) -> None:
    passed = 0

    def line(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal passed
        if event == "line":
            passed += 1
            if passed == last:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    def call(frame: FrameType, _event: str, _argument: Any) -> Any:
        file = frame.f_code.co_filename
        return line if file.startswith(_OURS) or file.endswith(_LIBRARY) else None

    try:
        sys.settrace(call)
        do()
        sys.settrace(None)
        os.write(writing, str(passed).encode())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
