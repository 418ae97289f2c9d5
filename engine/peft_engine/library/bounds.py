"""The numbers and tables that the library goes by, from `profiles/library.yaml`."""

from functools import cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word


class ScaleRange(Word):
    """The scales of an adapter that can be asked for, both ends included."""

    lowest: float
    highest: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lowest <= 1 <= self.highest:
            raise ValueError("an adapter as it was trained, at scale 1, must be allowed")
        return self


class LibraryBounds(Word):
    """The content of `library.yaml`."""

    adapter_scale: ScaleRange
    gguf_file_types: dict[Annotated[int, Field(ge=0)], str]
    """Names of quantizations by `general.file_type`."""

    infill_tokens: frozenset[str]
    """A vocabulary with one of them can mark a gap."""

    embedding_architectures: frozenset[str]


@cache
def library_bounds() -> LibraryBounds:
    """Return the numbers and tables."""
    # YAML has no sets, and strict validation turns no list into one.
    return LibraryBounds.model_validate(read_data("library.yaml"), strict=False)
