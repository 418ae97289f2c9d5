"""What was done about a run's anomalies, and what the loop's settings are because of it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from peft_engine.watching.thresholds import RecoveryFactors
from peft_schemas.config import TrainingConfig
from peft_schemas.events import AnomalyKind, Change, RecoveryAction


@dataclass(frozen=True)
class Settings:
    """What recoveries change of the loop, named as in the config."""

    learning_rate: float
    """The peak; the schedule's shape stays."""

    max_grad_norm: float
    batch_size: int
    """Examples that are computed at a time."""

    gradient_accumulation_steps: int


@dataclass(frozen=True)
class Wanted:
    """A recovery that shall be done, once there is a checkpoint."""

    id: str
    action: RecoveryAction
    by: Literal["person", "auto"]
    anomaly: str | None = None
    undoes: str | None = None
    kind: AnomalyKind | None = None
    """Of the anomaly, None where none is named."""

    good_step: int | None = None
    """For a roll-back: the last step whose weights are known to be good; None for the newest checkpoint before this."""


@dataclass(frozen=True)
class Done:
    """A recovery that was done."""

    id: str
    action: RecoveryAction
    by: Literal["person", "auto"]
    step: int
    kind: AnomalyKind | None
    """Of the anomaly, None where none was named."""

    undone: bool = False


@dataclass
class Ledger:
    """The recoveries that wait and those that were done. The settings follow from the config and these alone."""

    config: TrainingConfig
    factors: RecoveryFactors
    pending: list[Wanted] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Ids of what could not be done."""

    def want(self, wanted: Wanted) -> None:
        """Put a recovery on the list, unless it is there or was dealt with; each id counts once."""
        if wanted.id not in {*(one.id for one in self.pending), *(one.id for one in self.done), *self.refused}:
            self.pending.append(wanted)

    def automatic(self, kind: AnomalyKind) -> int:
        """Return how often something was done about a kind of anomaly without a person, or is about to be."""
        every: list[Done | Wanted] = [*self.done, *self.pending]
        return sum(one.by == "auto" and one.kind == kind for one in every)

    def find(self, recovery: str | None) -> Done | None:
        """Return a recovery that is in force."""
        return next((one for one in self.done if one.id == recovery and not one.undone), None)

    def refuse(self, wanted: Wanted) -> None:
        """Take a recovery off the list that cannot be done."""
        self.pending.remove(wanted)
        self.refused.append(wanted.id)

    def do(self, wanted: Wanted, action: RecoveryAction, step: int) -> list[Change]:
        """Take a recovery off the list as done, and return what that changes.

        Args:
            wanted: It.
            action: What was done, where that is more than was asked for.
            step: The step edge that it was done at.
        """
        before = self.settings()
        self.pending.remove(wanted)
        self.done = [replace(one, undone=one.undone or one.id == wanted.undoes) for one in self.done]
        self.done.append(Done(wanted.id, action, wanted.by, step, wanted.kind))
        return _changes(before, self.settings())

    def settings(self) -> Settings:
        """Return what the loop shall work with now."""
        config, factors = self.config, self.factors
        actions = [one.action for one in self.done if not one.undone]
        cuts = factors.cut_learning_rate ** actions.count("cut-learning-rate")
        parts = 2 ** actions.count("cut-batch")
        return Settings(
            learning_rate=config.learning_rate * cuts * factors.roll_back ** actions.count("roll-back"),
            max_grad_norm=config.max_grad_norm * factors.clip_gradients ** actions.count("clip-gradients"),
            batch_size=math.ceil(config.batch_size / parts),
            gradient_accumulation_steps=config.gradient_accumulation_steps * parts,
        )

    @property
    def can_cut_batch(self) -> bool:
        """Whether there is more than one example to compute at a time."""
        return self.settings().batch_size > 1

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "pending": [asdict(one) for one in self.pending],
            "done": [asdict(one) for one in self.done],
            "refused": self.refused,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what a checkpoint kept."""
        self.pending = [Wanted(**one) for one in state["pending"]]
        self.done = [Done(**one) for one in state["done"]]
        self.refused = list(state["refused"])


def _changes(before: Settings, after: Settings) -> list[Change]:
    pairs = ((one.name, getattr(before, one.name), getattr(after, one.name)) for one in fields(Settings))
    return [Change(key=f"training.{name}", before=old, after=new) for name, old, new in pairs if old != new]
