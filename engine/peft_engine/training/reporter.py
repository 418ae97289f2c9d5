"""What is measured while training, and when a person is heard."""

import shutil
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from peft_engine.files import folder_bytes
from peft_engine.rundir.checkpoints import Checkpoint
from peft_engine.training.control import Control, Interrupted
from peft_engine.training.distributed.group import Group
from peft_engine.training.journal import Journal
from peft_engine.training.watched.resources import Resources

_RECENT = 20
"""Optimizer steps whose mean duration the remaining time is reckoned from."""


class Reporter(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Writes the journal at each step edge, and leaves the loop when somebody asks for it."""

    def __init__(
        self, journal: Journal, asked: Control, group: Group, resources: Resources, begin: Callable[[int], None]
    ) -> None:
        """Connect the loop with the run.

        Args:
            journal: Where everything is written.
            asked: What a person asks for, the same in all processes.
            group: The processes that train together, of whose counts the first one's journal tells.
            resources: What the run takes of the machine.
            begin: Called with the number of optimizer steps once it is known.
        """
        self._journal = journal
        self._asked = asked
        self._group = group
        self._resources = resources
        self._begin = begin
        self._process = psutil.Process()
        self._loss: torch.Tensor | None = None
        self._trained = 0
        self._tokens = 0
        self._tokens_before = 0
        self._seconds = 0.0
        self._step_began = 0.0
        self._step_ends: deque[float] = deque(maxlen=_RECENT + 1)
        self._elapsed_before = 0.0
        self._began: float | None = None
        self._told_of_disk = False
        self.ended_early = False
        """Whether the loop was left before its last step because somebody asked."""

        self.values: dict[str, float | None] = {}
        """The newest measurements, in the first process; NaN or infinity where that was measured."""

        self.owes_evaluation = False
        """Whether the newest step's evaluation was put off, to be made before the next step."""

    @property
    def elapsed_seconds(self) -> float:
        """Time that the run has spent in training, all its workers together, pauses not counted."""
        return self._elapsed_before + (0.0 if self._began is None else time.monotonic() - self._began)

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted since the last report and altogether, by all processes once `pool` was called."""
        return {
            "loss": None if self._loss is None else self._loss.item(),
            "trained": self._trained,
            "tokens": self._tokens,
            "tokens_before": self._tokens_before,
            "seconds": self._seconds,
            "elapsed_seconds": self.elapsed_seconds,
            "owes_evaluation": self.owes_evaluation,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on counting from there."""
        self.owes_evaluation = state["owes_evaluation"]
        if not self._group.leads:
            return
        self._loss = None if state["loss"] is None else torch.tensor(state["loss"])
        self._trained = state["trained"]
        self._tokens = state["tokens"]
        self._tokens_before = state["tokens_before"]
        self._seconds = state["seconds"]
        self._elapsed_before = state["elapsed_seconds"]

    def pool(self) -> None:
        """Bring what the processes counted to the first one. To be called by all of them."""
        if self._group.processes == 1:
            return
        own = 0.0 if self._loss is None else self._loss.item()
        loss, trained, tokens = self._group.sum(own, self._trained, self._tokens)
        leads = self._group.leads
        self._loss = torch.tensor(loss) if leads and trained else None
        self._trained, self._tokens = (int(trained), int(tokens)) if leads else (0, 0)

    def gives_up_evaluation(self, control: TrainerControl) -> bool:
        """Look, within an evaluation, whether the run shall not go on; it then saves and leaves the loop.

        Raises:
            Interrupted: The run is cancelled, so nothing is saved.
        """
        if self._asked.requested():
            self._leave(control)
            # The loop would try again where the epoch ends, and then save the same step twice.
            control.should_evaluate = False
            self.owes_evaluation = True
        return self.ended_early

    def count(self, loss: torch.Tensor, *, trained: int, tokens: int) -> None:
        """Add one forward pass in training.

        Args:
            loss: The summed loss of the trained tokens; kept on its device, so that nothing waits for it.
            trained: How many tokens were trained.
            tokens: How many tokens the model read.
        """
        self._loss = loss if self._loss is None else self._loss.to(loss.device) + loss
        self._trained += trained
        self._tokens += tokens

    def evaluated(self, step: int, loss: float, examples: int) -> None:
        """Report an evaluation."""
        self.owes_evaluation = False
        self._journal.evaluation(step, {"loss": loss, "examples": float(examples)})

    def saved(self, checkpoint: Checkpoint) -> None:
        """Announce a checkpoint, and warn once where the disk has no room for another like it."""
        self._journal.checkpoint(checkpoint)
        needed, free = folder_bytes(checkpoint.path), shutil.disk_usage(checkpoint.path).free
        if free < needed and not self._told_of_disk:
            self._journal.warning(
                f"The disk has {free / 1e6:.1f} MB left, less than the {needed / 1e6:.1f} MB of the next checkpoint: "
                "free some space before it is due, or the run will fail there."
            )
        self._told_of_disk = free < needed

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Say what is going to be done."""
        self._begin(state.max_steps)
        self._began = time.monotonic()
        self._step_ends.append(self._began)

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock of a step."""
        self._step_began = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        """Stop the clock, and hear whether the run shall go on.

        Raises:
            Interrupted: The run is cancelled, so nothing is saved.
        """
        end = time.monotonic()
        self._seconds += end - self._step_began
        self._step_ends.append(end)
        if state.global_step >= state.max_steps:
            control.should_log = True
        elif self._asked.requested():
            self._leave(control)
            control.should_log = True
            self.owes_evaluation = control.should_evaluate
            control.should_evaluate = False
        return control

    def _leave(self, control: TrainerControl) -> None:
        if self._asked.command() == "cancel":
            raise Interrupted
        if not self.ended_early:
            self._journal.enter("stopping", "writing a checkpoint")
        self.ended_early = True
        control.should_save = control.should_training_stop = True

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Report the steps since the last report."""
        if logs is None or "loss" not in logs:
            return
        self.pool()
        (memory,) = self._group.sum(self._memory())
        if self._loss is None:
            return
        tokens = self._tokens - self._tokens_before
        self.values = {
            "loss": self._loss.item() / max(self._trained, 1),
            "learning_rate": logs.get("learning_rate"),
            "grad_norm": logs.get("grad_norm"),
            "tokens_per_second": tokens / self._seconds if self._seconds > 0 else None,
            "tokens": float(self._tokens),
            "memory_bytes": memory,
            **self._resources.values(),
        }
        remaining = self._remaining(state.max_steps - state.global_step)
        self._journal.metric(
            state.global_step,
            state.epoch or 0.0,
            self.values,
            eta_seconds=remaining,
            elapsed_seconds=self.elapsed_seconds,
        )
        if state.global_step % args.logging_steps == 0:
            # A report out of turn, at the edge where a run is left, must not change the one that is due.
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
