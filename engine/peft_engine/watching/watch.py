"""All detectors over one run, each anomaly said once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from peft_engine.watching.anomaly import Anomaly
from peft_engine.watching.finite import non_finite
from peft_engine.watching.gradients import explosion
from peft_engine.watching.loss import beyond_chance, divergence
from peft_engine.watching.memory import memory_pressure
from peft_engine.watching.overfitting import overfitting
from peft_engine.watching.series import Evaluation, Measurement, Series
from peft_engine.watching.thresholds import Thresholds
from peft_schemas.events import AnomalyKind


@dataclass
class _Told:
    """An anomaly that was said, and is not said again for now."""

    gone: int = 0
    """Measurements in a row in which it was not seen."""

    grace: int | None = None
    """Measurements left before it may be said again, once something was done about it."""


class Watch:
    """Keeps the series of a run and judges it at each measurement."""

    def __init__(self, limits: Thresholds, *, memory_limit: float, scaled: bool, vocabulary: int) -> None:
        """Begin with nothing measured.

        Args:
            limits: The thresholds.
            memory_limit: `watch.memory_limit`.
            scaled: Whether the loss is scaled, as it is in float16.
            vocabulary: How many tokens the model chooses from.
        """
        self._limits = limits
        self._memory_limit = memory_limit
        self._gradients = limits.non_finite.gradients_scaled if scaled else limits.non_finite.gradients
        self._chance = math.log(vocabulary)
        self._told: dict[AnomalyKind, _Told] = {}
        self.series = Series(limits.history)

    def measured(self, measurement: Measurement, clipped_to: float) -> list[Anomaly]:
        """Take a measurement and return what is newly wrong, the worst first.

        Args:
            measurement: The newest.
            clipped_to: The norm that gradients are clipped to.
        """
        self.series.add(measurement)
        limits, series = self._limits, self.series
        return [
            *self._news("non-finite", non_finite(series, self._gradients)),
            *self._news("gradient-explosion", explosion(series, limits.explosion, clipped_to)),
            *self._news("loss-divergence", self._rise()),
            *self._news("memory-pressure", memory_pressure(series, self._memory_limit)),
        ]

    def _rise(self) -> Anomaly | None:
        limits = self._limits.divergence
        return divergence(self.series, limits) or beyond_chance(self.series, limits, self._chance)

    def evaluated(self, step: int, loss: float) -> list[Anomaly]:
        """Take the loss on held-out examples and return what is newly wrong."""
        if not math.isfinite(loss):
            return []
        recent = [loss for _, loss in self.series.finite_losses()[-self._limits.divergence.recent :]]
        self.series.evaluated(Evaluation(step, loss, median(recent) if recent else None))
        return self._news("overfitting", overfitting(self.series, self._limits.overfitting))

    def recovered(self, kind: AnomalyKind | None) -> None:
        """Note that something was done about a kind of anomaly, or about all: it is said again if it stays."""
        for told_kind, told in self._told.items():
            if kind in (None, told_kind):
                told.grace = self._limits.repeat.grace

    def rolled_back(self, step: int) -> None:
        """Note that the run went back to the weights of a step: what was seen after it is no longer so."""
        self.series.cut_after(step)
        self._told = {kind: told for kind, told in self._told.items() if kind == "memory-pressure"}

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        told = {kind: (told.gone, told.grace) for kind, told in self._told.items()}
        return {"series": self.series.state_dict(), "told": told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what a checkpoint kept."""
        self.series.load_state_dict(state["series"])
        self._told = {kind: _Told(gone, grace) for kind, (gone, grace) in state["told"].items()}

    def _news(self, kind: AnomalyKind, seen: Anomaly | None) -> list[Anomaly]:
        told = self._told.get(kind)
        if told is None:
            if seen is None:
                return []
            self._told[kind] = _Told()
            return [seen]
        told.gone = 0 if seen else told.gone + 1
        if told.grace is not None:
            told.grace -= 1
        if told.gone >= self._limits.repeat.gone:
            del self._told[kind]
        elif seen and told.grace is not None and told.grace <= 0:
            self._told[kind] = _Told()
            return [seen]
        return []
