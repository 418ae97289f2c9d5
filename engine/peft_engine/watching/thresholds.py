"""The numbers and tables of the detectors, read from `watching.yaml` of the profiles and checked on the way."""

from functools import cache
from typing import Annotated, get_args

from pydantic import Field, model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word
from peft_schemas.events import AnomalyKind, RecoveryAction

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(gt=1)]
Cut = Annotated[float, Field(gt=0, lt=1)]
Proposals = Annotated[list[RecoveryAction], Field(min_length=2, max_length=3)]


class DivergenceThresholds(Word):
    """When the loss is said to rise."""

    recent: Count
    reference: Count
    least_reference: Count
    rise: Positive
    least_rise: Positive
    noises: Positive
    doubt: Annotated[float, Field(ge=0)]


class ExplosionThresholds(Word):
    """When gradients are said to explode."""

    recent: Count
    least_reference: Count
    factor: Factor
    spike: Factor


class NonFiniteThresholds(Word):
    """How many gradients that are not finite it takes, without and with a scaled loss; how many losses end a run."""

    gradients: Count
    gradients_scaled: Count
    patience: Count


class OverfittingThresholds(Word):
    """When a run is said to learn its examples by heart."""

    evaluations: Count
    rise: Positive
    least_rise: Positive


class StallThresholds(Word):
    """How many usual steps may go by without one."""

    steps: Factor


class RepeatThresholds(Word):
    """When an anomaly that was told is told again, in measurements."""

    gone: Count
    grace: Count


class RecoveryFactors(Word):
    """How much the recoveries change."""

    cut_learning_rate: Cut
    roll_back: Cut
    clip_gradients: Cut
    automatic: Count


class Thresholds(Word):
    """The content of `watching.yaml`."""

    history: Count
    divergence: DivergenceThresholds
    explosion: ExplosionThresholds
    non_finite: NonFiniteThresholds
    overfitting: OverfittingThresholds
    stall: StallThresholds
    repeat: RepeatThresholds
    recovery: RecoveryFactors
    proposals: dict[AnomalyKind, Proposals]
    titles: dict[RecoveryAction, Annotated[str, Field(min_length=1)]]

    @model_validator(mode="after")
    def _nothing_is_left_out(self) -> "Thresholds":
        if set(self.proposals) != set(get_args(AnomalyKind)) or set(self.titles) != set(get_args(RecoveryAction)):
            raise ValueError("every kind of anomaly needs its proposals, and every action its title")
        return self

    @model_validator(mode="after")
    def _history_is_long_enough(self) -> "Thresholds":
        if self.history < self.divergence.reference + self.divergence.recent:
            raise ValueError("history must hold the reference and the recent measurements")
        return self


@cache
def thresholds() -> Thresholds:
    """Return the thresholds that ship with the profiles.

    Raises:
        pydantic.ValidationError: The file does not have the shape that it must have.
    """
    return Thresholds.model_validate(read_data("watching.yaml"))
