"""What is said of the backends in `backends.yaml` of the profiles, checked on the way."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word
from peft_schemas.config import RunConfig

DeviceKind = Literal["cpu", "cuda", "mps"]
Values = dict[str, Annotated[list[str | int], Field(min_length=1)]]
"""By the dotted path of a key, the values that it may have."""


class UnslothFacts(Word):
    """What Unsloth trains of what the language has."""

    anywhere: Values
    by_device: dict[DeviceKind, Values]
    """The devices that it trains on, and what holds there beside."""

    @model_validator(mode="after")
    def _keys_exist(self) -> "UnslothFacts":
        for values in (self.anywhere, *self.by_device.values()):
            for path in values:
                section, _, key = path.partition(".")
                model = RunConfig.model_fields.get(section)
                if model is None or key not in getattr(model.annotation, "model_fields", {}):
                    raise ValueError(f"the language has no key {path}")
        return self


class BenchFacts(Word):
    """What is measured."""

    steps: Annotated[int, Field(ge=3)]
    skipped_steps: Annotated[int, Field(ge=1)]
    runs: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _steps_remain(self) -> "BenchFacts":
        if self.skipped_steps >= self.steps:
            raise ValueError("of the steps some must be measured")
        return self


class ChoiceFacts(Word):
    """What a measurement must show for the second backend to be taken."""

    faster_by: Annotated[float, Field(ge=1)]
    loss_within: Annotated[float, Field(gt=0, lt=1)]


class BackendFacts(Word):
    """The content of `backends.yaml`."""

    unsloth: UnslothFacts
    bench: BenchFacts
    choice: ChoiceFacts


@cache
def backend_facts() -> BackendFacts:
    """Return what ships with the profiles.

    Raises:
        pydantic.ValidationError: The file does not have the shape that it must have.
    """
    return BackendFacts.model_validate(read_data("backends.yaml"))
