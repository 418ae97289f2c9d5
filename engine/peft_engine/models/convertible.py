"""What can be converted to GGUF, from `conversion.yaml`."""

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from peft_engine.models.refusal import NotConvertible
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


def convertible_family(config: dict[str, Any]) -> ConvertibleFamily:
    """Return the family of a model by its `config.json`.

    Raises:
        NotConvertible: Its family has no conversion that is known to be right, or its weights are packed.
    """
    family = conversion_data().families.get(config.get("model_type") or "")
    if family is None:
        raise NotConvertible(f"Models of the family {config.get('model_type')} cannot be converted to GGUF yet.")
    if "quantization_config" in config:
        raise NotConvertible("The model's weights are packed already; convert the model that they were packed from.")
    return family
