"""What is measured while training, and when a person is heard."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from peft_engine.rundir.checkpoints import Checkpoint
from peft_engine.training.journal import Journal
from peft_engine.training.stop import StopRequest

_RECENT = 20
"""Optimizer steps whose mean duration the remaining time is reckoned from."""


class Reporter(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Writes the journal at each step edge, and ends the loop when a person asks for it."""

    def __init__(self, journal: Journal, stop: StopRequest, begin: Callable[[int], None]) -> None:
        """Connect the loop with the run.

        Args:
            journal: Where everything is written.
            stop: A person's wish that the run end.
            begin: Called with the number of optimizer steps once it is known.
        """
        self._journal = journal
        self._stop = stop
        self._begin = begin
        self._process = psutil.Process()
        self._loss: torch.Tensor | None = None
        self._trained = 0
        self._tokens = 0
        self._tokens_before = 0
        self._seconds = 0.0
        self._step_began = 0.0
        self._step_ends: deque[float] = deque(maxlen=_RECENT + 1)
        self.ended_early = False
        """Whether a person's wish ended the loop before its last step."""

    def stop_requested(self) -> bool:
        """Tell whether the run shall end."""
        return self._stop.requested()

    def count(self, loss: torch.Tensor, *, trained: int, tokens: int) -> None:
        """Add one forward pass in training.

        Args:
            loss: The summed loss of the trained tokens; kept on its device, so that nothing waits for it.
            trained: How many tokens were trained.
            tokens: How many tokens the model read.
        """
        self._loss = loss if self._loss is None else self._loss + loss
        self._trained += trained
        self._tokens += tokens

    def evaluated(self, step: int, loss: float, examples: int) -> None:
        """Report an evaluation."""
        self._journal.evaluation(step, {"loss": loss, "examples": float(examples)})

    def saved(self, checkpoint: Checkpoint) -> None:
        """Announce a checkpoint."""
        self._journal.checkpoint(checkpoint)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Say what is going to be done."""
        self._begin(state.max_steps)
        self._step_ends.append(time.monotonic())

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock of a step."""
        self._step_began = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        """Stop the clock, and hear whether the run shall end: then it saves and leaves the loop."""
        end = time.monotonic()
        self._seconds += end - self._step_began
        self._step_ends.append(end)
        if state.global_step >= state.max_steps:
            control.should_log = True
        elif self._stop.requested():
            self._journal.enter("stopping", "writing a checkpoint")
            self.ended_early = True
            control.should_log = control.should_save = control.should_training_stop = True
            control.should_evaluate = False
        return control

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Report the steps since the last report."""
        if logs is None or "loss" not in logs or self._loss is None:
            return
        tokens = self._tokens - self._tokens_before
        self._journal.metric(
            state.global_step,
            state.epoch or 0.0,
            {
                "loss": self._loss.item() / max(self._trained, 1),
                "learning_rate": logs.get("learning_rate"),
                "grad_norm": logs.get("grad_norm"),
                "tokens_per_second": tokens / self._seconds if self._seconds > 0 else None,
                "tokens": float(self._tokens),
                "memory_bytes": float(self._memory()),
            },
            self._remaining(state.max_steps - state.global_step),
        )
        self._loss, self._trained, self._tokens_before, self._seconds = None, 0, self._tokens, 0.0

    def _remaining(self, steps: int) -> float | None:
        if len(self._step_ends) < 2:
            return None
        mean = (self._step_ends[-1] - self._step_ends[0]) / (len(self._step_ends) - 1)
        return mean * steps

    def _memory(self) -> int:
        """Return the bytes in use: on the device that trains, where it is not the CPU."""
        if torch.cuda.is_available():
            return int(torch.cuda.max_memory_allocated())
        return int(self._process.memory_info().rss)
