"""The numbers and tables that the library goes by, from `profiles/library.yaml`."""

from functools import cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word
from peft_schemas.library import ModelSource

Layout = Literal["tree", "hub-cache", "ollama"]


class ScaleRange(Word):
    """The scales of an adapter that can be asked for, both ends included."""

    lowest: float
    highest: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lowest <= 1 <= self.highest:
            raise ValueError("an adapter as it was trained, at scale 1, must be allowed")
        return self


class Root(Word):
    """A place where another tool keeps models."""

    source: ModelSource
    layout: Layout
    places: Annotated[list[str], Field(min_length=1)]
    """With `~` and variables; the first whose variables are all set counts."""


class ScanLimits(Word):
    """How far a scan goes in one root."""

    depth: Annotated[int, Field(ge=1)]
    """Folders below the root."""

    files: Annotated[int, Field(ge=1)]
    """Files and folders that are looked at."""

    models: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0)]


class Refresh(Word):
    """Seconds between two looks while an editor is open."""

    scan: Annotated[float, Field(gt=0)]
    definitions: Annotated[float, Field(gt=0)]


class LibraryBounds(Word):
    """The content of `library.yaml`."""

    adapter_scale: ScaleRange
    gguf_file_types: dict[Annotated[int, Field(ge=0)], str]
    """Names of quantizations by `general.file_type`."""

    infill_tokens: frozenset[str]
    """A vocabulary with one of them can mark a gap."""

    embedding_architectures: frozenset[str]
    roots: list[Root]
    scan: ScanLimits
    refresh: Refresh


@cache
def library_bounds() -> LibraryBounds:
    """Return the numbers and tables."""
    # YAML has no sets, and strict validation turns no list into one.
    return LibraryBounds.model_validate(read_data("library.yaml"), strict=False)
