"""The numbers behind the advice of the checks, read from `bounds.yaml` of the profiles and checked on the way."""

from functools import cache
from typing import Annotated

from pydantic import Field, model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word
from peft_schemas.config import Optimizer, Quantization

Positive = Annotated[float, Field(gt=0)]
ComputeCapability = Annotated[list[int], Field(min_length=2, max_length=2)]


class Limit(Word):
    """What a number may be, and what it is advised to be."""

    least: float
    most: float
    advised_most: float | None = None
    """The largest value without a remark; None where all that is allowed is advised."""

    advised: list[int] = []
    """The only values without a remark; empty where a range is advised."""

    def nearest(self, number: float) -> float:
        """Return the nearest number without any remark; of two as near, the smaller."""
        if self.advised:
            return min(self.advised, key=lambda advised: (abs(advised - number), advised))
        most = self.most if self.advised_most is None else self.advised_most
        return min(max(number, self.least), most)

    @model_validator(mode="after")
    def _advice_is_allowed(self) -> "Limit":
        advised = [*self.advised, *([] if self.advised_most is None else [self.advised_most])]
        if self.least > self.most or not all(self.least <= value <= self.most for value in advised):
            raise ValueError("what is advised must lie between least and most")
        return self


class LearningRates(Word):
    """The learning rates that suit one way to train."""

    least: Positive
    most: Positive
    typical: Positive


class LearningRatesByKind(Word):
    """The learning rates that suit adapters, and those that suit full fine-tuning."""

    adapter: LearningRates
    full: LearningRates


class AdapterScale(Word):
    """The factors on an adapter's update that are common."""

    least: Positive
    most: Positive
    rslora_most: Positive


class NeededCapability(Word):
    """The compute capability from which on CUDA devices can do something."""

    bfloat16: ComputeCapability
    flash_attention_2: ComputeCapability
    packed_sdpa_bfloat16: ComputeCapability


class Bounds(Word):
    """The content of `bounds.yaml`."""

    limits: dict[str, Limit]
    """By the dotted path of their key."""

    learning_rates: LearningRatesByKind
    adapter_scale: AdapterScale
    rows_over_records: Positive
    weight_bytes: dict[Quantization, Positive]
    optimizer_bytes: dict[Optimizer, Annotated[float, Field(ge=0)]]
    attention_modules: Annotated[list[str], Field(min_length=1)]
    compute_capability: NeededCapability


@cache
def bounds() -> Bounds:
    """Return the bounds that ship with the profiles.

    Raises:
        pydantic.ValidationError: The file does not have the shape that it must have.
    """
    return Bounds.model_validate(read_data("bounds.yaml"))
