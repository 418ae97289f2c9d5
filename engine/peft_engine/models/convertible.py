"""What can be converted to GGUF, from `conversion.yaml`."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word

Positive = Annotated[float, Field(gt=0)]


class WeightType(Word):
    """A type of weights in a GGUF file."""

    ftype: int
    """llama.cpp's number of it."""

    bits: Positive
    """What a number takes on average."""

    written: bool = False
    """Whether it is written from the source directly; else llama.cpp's quantiser makes it."""

    tolerance: Positive
    """How far the logits may be from the source's, as a share of theirs."""


class ConvertibleFamily(Word):
    """A family whose layers llama.cpp computes as Transformers does."""

    architecture: str
    rotary: Literal["pairs", "halves"]
    added_norm: float = 0
    """What Transformers adds to the weight of a norm when it computes."""


class Step(Word):
    """A step in cutting a text before bytes are merged; exactly one of the three."""

    digits: Literal["alone"] | None = None
    split: str | None = None
    bytes: Literal["gpt-2", "none"] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Step":
        if [self.digits, self.split, self.bytes].count(None) != 2:
            raise ValueError("a step is one of digits, split and bytes")
        return self


class ConversionData(Word):
    """The whole file."""

    types: dict[str, WeightType]
    families: dict[str, ConvertibleFamily]
    cuts: dict[str, list[list[Step]]]
    """llama.cpp's names of ways to cut, and the steps of the tokenizers that cut so."""

    texts: Annotated[list[str], Field(min_length=1)]


@cache
def conversion_data() -> ConversionData:
    """Return what can be converted."""
    return ConversionData.model_validate(read_data("conversion.yaml"))
