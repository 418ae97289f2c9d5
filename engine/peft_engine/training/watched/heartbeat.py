"""Noticing from beside the loop that it stands still, also when its thread is lost in native code."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from transformers import TrainerCallback, TrainerState

from peft_engine.watching import Anomaly
from peft_engine.watching.stall import Standstill, patience, stall
from peft_engine.watching.thresholds import StallThresholds

_RECENT = 20
"""Steps whose median duration is the usual one."""

_CHECKS = 20
"""How often the time that may go by without a step is looked at within it."""


class Heartbeat(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """A thread that is told of every sign of life, and tells when there was none for too long.

    A thread of Python runs while the loop waits or computes in native code, as torch does, which lets go of the
    interpreter. Time in which the whole process was stopped, or the machine asleep, is not counted.
    """

    def __init__(self, stall_minutes: float, limits: StallThresholds, tell: Callable[[Anomaly], None]) -> None:
        """Begin with no sign of life; the thread runs between `on_train_begin` and `stop`.

        Args:
            stall_minutes: `watch.stall_minutes`.
            limits: The thresholds.
            tell: Called from the thread, once for each standstill.
        """
        self._minutes = stall_minutes
        self._limits = limits
        self._tell = tell
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="heartbeat", daemon=True)
        self._main = threading.get_ident()
        self._beats = 0
        self._step = 0
        self._step_began: float | None = None
        self._durations: deque[float] = deque(maxlen=_RECENT)

    def stop(self) -> None:
        """End the thread."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Begin to listen."""
        self._step = state.global_step
        self._thread.start()

    def on_step_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Take the begin of a step for a sign of life."""
        self._step_began = time.monotonic()
        self._beats += 1

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Take the end of a step for a sign of life, and learn how long one takes."""
        if self._step_began is not None:
            self._durations.append(time.monotonic() - self._step_began)
        self._step = state.global_step
        self._beats += 1

    def on_substep_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Take each part of a step for a sign of life."""
        self._beats += 1

    on_prediction_step = on_save = on_evaluate = on_substep_end

    def _listen(self) -> None:
        interval = min(self._minutes * 60 / _CHECKS, 10.0)
        process = psutil.Process()
        beats, still, computed, told = -1, 0.0, 0.0, False
        looked = time.monotonic()
        while not self._done.wait(interval):
            now = time.monotonic()
            # More than this means that the process itself was stopped.
            passed, looked = min(now - looked, 2 * interval), now
            if beats != self._beats:
                beats, still, told = self._beats, 0.0, False
                computed = _computed(process)
                continue
            still += passed
            usual = median(self._durations) if self._durations else None
            if told or still < patience(self._minutes, usual, self._limits):
                continue
            percent = 100 * (_computed(process) - computed) / still
            anomaly = stall(
                Standstill(self._step, still, usual, percent, _place(self._main)), self._minutes, self._limits
            )
            if anomaly is not None:
                told = True
                self._tell(anomaly)


def _computed(process: psutil.Process) -> float:
    """Return the seconds of processor time that the process has taken, in all its threads."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _place(thread: int) -> str:
    """Return where a thread is in Python code, for people."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return "an unknown place"
    return f"{frame.f_code.co_name} in {Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
