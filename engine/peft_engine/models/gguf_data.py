"""What a GGUF file may hold, from `gguf.yaml`."""

from functools import cache
from typing import Annotated

from pydantic import Field

from peft_engine.profiles import read_data
from peft_schemas.base import Word

Count = Annotated[int, Field(gt=0)]


class GgufType(Word):
    """A type of tensors: numbers are packed in blocks."""

    name: str
    block: Count
    """Numbers of a block. A row is a whole number of blocks."""

    bytes: Count
    """Bytes of a block."""


class GgufLimits(Word):
    """How much a header may hold before it is taken for damaged."""

    pairs: Count
    tensors: Count
    items: Count
    """Values of all arrays together."""

    string: Count
    """Bytes of one text."""

    header: Count
    """Bytes of everything before the tensors' data."""

    name: Count
    """Bytes of a tensor's name."""

    alignment: Count
    """Bytes."""


class GgufData(Word):
    """The content of `gguf.yaml`."""

    types: dict[int, GgufType]
    adapter_types: list[int]
    """Those of them that adapters are computed in."""

    limits: GgufLimits


@cache
def gguf_data() -> GgufData:
    """Return the types and limits."""
    return GgufData.model_validate(read_data("gguf.yaml"))
