"""What a run will come to, before it is started, as `peftw estimate --json` prints it."""

from typing import Literal

from peft_schemas.base import Word

FigureName = Literal["effective_batch", "examples", "steps", "tokens_per_step", "trainable_parameters"]
NotEstimated = Literal["time", "memory"]


class Figure(Word):
    """One number, and how it comes about."""

    name: FigureName
    value: int
    is_upper_bound: bool = False
    """Whether the true number may be lower, as with packed rows, which are counted only when the data is packed."""

    formula: str
    """The arithmetic with its numbers: `4 × 8 (batch_size × gradient_accumulation_steps)`."""


class UnknownFigure(Word):
    """A number that cannot be told, and what is missing for it."""

    name: FigureName
    reason: str
    """One sentence."""


class EstimateReport(Word):
    """All that can be computed from a config and from what is known of its model and data."""

    figures: list[Figure]
    unknown: list[UnknownFigure]
    not_estimated: list[NotEstimated] = ["time", "memory"]
    """What this version does not estimate at all."""
