"""What both contestants measure themselves by: the end of each optimizer step, and the largest resident memory."""

import resource
import time
from typing import Any

from transformers import TrainerCallback, trainer


def resident_peak() -> int:
    """Return the most memory that this process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Clock(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Notes wall and processor time at each step's end, and the peak of memory up to the last."""

    wall: list[float] = []
    processor: list[float] = []
    peak = 0

    def _note(self) -> None:
        Clock.wall.append(time.monotonic())
        Clock.processor.append(time.process_time())
        Clock.peak = resident_peak()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the start."""
        self._note()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note an end."""
        self._note()


def start() -> int:
    """Have every Trainer of this process note its steps, and return what its libraries take by themselves, in bytes."""
    trainer.DEFAULT_CALLBACKS.append(Clock)
    return resident_peak()


def noted(floor: int) -> dict[str, Any]:
    """Return what was noted."""
    return {"wall": Clock.wall, "processor": Clock.processor, "peak": Clock.peak, "floor": floor}
