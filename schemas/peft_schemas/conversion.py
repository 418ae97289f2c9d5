"""Turning a model or an adapter into another format."""

from typing import Annotated, Literal

from pydantic import Field

from peft_schemas.base import Word
from peft_schemas.library import ModelEntry

ConversionTarget = Annotated[str, Field(pattern=r"^(safetensors|gguf-adapter|gguf:[a-z0-9_]+)$")]


class ConversionRequest(Word):
    """What is to be made of what."""

    source: str
    """The path of a model: a folder or a file."""

    adapter: str | None = None
    """The folder of a PEFT adapter for that model, which is merged into it, or is what is converted."""

    to: ConversionTarget
    """`safetensors`, `gguf:<type>` such as `gguf:q8_0`, or `gguf-adapter` for the adapter alone."""

    output: str
    """The file or folder to write. It must not exist."""

    trust_remote_code: bool = False
    """Whether code that the model brings along may run."""


class ConversionProgress(Word):
    """How far a conversion is."""

    step: str
    """What is being done, for people."""

    share: float | None = None
    """Of this step, from 0 to 1; None where that is not known."""


class ConversionResult(Word):
    """What was made, and how near it is to its source."""

    output: str
    bytes: int
    comparison: Literal["logits", "bits"]
    """What was compared with the source: what the model expects after each word of a few texts, or each number itself."""

    difference: float
    """Of logits: the root mean square of the difference, as a share of that of the source's; 0 where all bits are equal."""

    tolerance: float
    """The difference with which it would have been refused."""


class ConversionOffer(Word):
    """Something that a model can be converted to."""

    to: ConversionTarget
    bytes: int | None
    """What it will take on the disk, about; None for an adapter alone, which is small."""


class ConversionOffers(Word):
    """What a model can be converted to: something, or the sentence that says why nothing."""

    offers: list[ConversionOffer]
    reason: str | None = None


class ConvertParams(Word):
    """Convert a model. How far it is comes as `peft/models/progress` with the same `request_id`; `$/cancelRequest` ends it."""

    request_id: str
    model: str
    """An id of the library, one with a run's adapter (`base:run`), a hub id on this machine, or a path."""

    to: ConversionTarget
    output: str
    """The path of the file or folder to write. It must not exist."""


class ConvertProgressParams(Word):
    """How far a conversion that the editor asked for is."""

    request_id: str
    progress: ConversionProgress


class ConvertResult(Word):
    """What was made, and what it is in the library."""

    result: ConversionResult
    model: ModelEntry | None
    """None for what is no model by itself: an adapter, or a file of weights without its config."""
