"""What was measured of a run lately."""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """What one report of the loop says; None for what was not measured, and NaN or infinity where that was measured."""

    step: int
    loss: float | None = None
    """In nats a trained token."""

    grad_norm: float | None = None
    """Before clipping."""

    memory_share: float | None = None
    """Of the memory of the device that trains, 0 to 1."""


@dataclass(frozen=True)
class Evaluation:
    """The loss on held-out examples, and what the training loss was then."""

    step: int
    loss: float
    training_loss: float | None


@dataclass
class Series:
    """The newest measurements and evaluations, oldest first."""

    history: int
    """How many of each are kept."""

    measurements: list[Measurement] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)

    def add(self, measurement: Measurement) -> None:
        """Append a measurement."""
        self.measurements = [*self.measurements[1 - self.history :], measurement]

    def evaluated(self, evaluation: Evaluation) -> None:
        """Append an evaluation. Where too many are kept the oldest goes, but never the lowest."""
        kept = [*self.evaluations, evaluation]
        if len(kept) > self.history:
            lowest = min(kept, key=lambda one: one.loss)
            kept.remove(next(one for one in kept if one is not lowest))
        self.evaluations = kept

    def finite_losses(self) -> list[tuple[int, float]]:
        """Return step and loss of each measurement that has a finite one."""
        losses = ((one.step, one.loss) for one in self.measurements)
        return [(step, loss) for step, loss in losses if loss is not None and math.isfinite(loss)]

    def finite_norms(self) -> list[tuple[int, float]]:
        """Return step and gradient norm of each measurement that has a finite one."""
        norms = ((one.step, one.grad_norm) for one in self.measurements)
        return [(step, norm) for step, norm in norms if norm is not None and math.isfinite(norm)]

    def cut_after(self, step: int) -> None:
        """Forget what was measured after a step, whose weights were gone back to."""
        self.measurements = [one for one in self.measurements if one.step <= step]
        self.evaluations = [one for one in self.evaluations if one.step <= step]

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "measurements": [astuple(one) for one in self.measurements],
            "evaluations": [astuple(one) for one in self.evaluations],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what a checkpoint kept."""
        self.measurements = [Measurement(*one) for one in state["measurements"]]
        self.evaluations = [Evaluation(*one) for one in state["evaluations"]]
