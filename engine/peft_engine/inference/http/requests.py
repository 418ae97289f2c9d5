"""What every request for text takes, and what is said of a body that is none.

A field that we do not know is ignored, as OpenAI's clients expect of a compatible service; a known one that we cannot
honour is refused and never dropped in silence.
"""

import secrets
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from peft_engine.inference.contract import Sampling
from peft_engine.inference.http.bounds import DEFAULTS, LIMITS
from peft_schemas.library import SamplingDefaults

T = TypeVar("T")
Stop = Annotated[str, Field(min_length=1)]
TokenLimit = Annotated[int, Field(ge=1, lt=2**31)]


class Body(BaseModel):
    """Something that a client sends. The docstring under a field is its description in the OpenAPI document."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class StreamOptions(Body):
    """How a stream ends."""

    include_usage: bool | None = None
    """Whether a last event without choices counts the tokens."""


class TextRequest(Body):
    """What to generate from, how, and in which form it is wanted."""

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    stream: bool | None = None
    """Whether the answer comes as server-sent events while it is made."""

    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=LIMITS.answers)] | None = None
    """How many answers; the second has the next seed, and so on."""

    max_tokens: TokenLimit | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=LIMITS.stops)] | None = None
    """Texts before which an answer ends."""

    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 always takes the most likely token."""

    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = None
    """As llama.cpp and vLLM have it; 0 and -1 are for all."""

    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """As llama.cpp and vLLM have it."""

    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[
        float | None,
        Field(gt=0, le=10, validation_alias=AliasChoices("repetition_penalty", "repeat_penalty")),
    ] = None
    """vLLM's name; `repeat_penalty`, llama.cpp's, is understood too."""

    logit_bias: (
        Annotated[
            dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], Annotated[float, Field(ge=-100, le=100)]],
            Field(max_length=LIMITS.biased_tokens),
        ]
        | None
    ) = None
    """Token ids and what is added to their logits."""

    lora: list[object] | None = None
    """llama.cpp's way to choose adapters. Here the model's id chooses them."""

    @field_validator("lora")
    @classmethod
    def _is_in_the_id(cls, value: list[object] | None) -> list[object] | None:
        if value:
            raise ValueError("adapters are chosen by the model's id, such as base:adapter or base:adapter@0.5")
        return value

    @field_validator("top_p")
    @classmethod
    def _smallest_nucleus(cls, value: float | None) -> float | None:
        # 0 is in OpenAI's range and means the most likely token alone.
        return 1e-6 if value == 0 else value

    @property
    def answers(self) -> int:
        """How many answers are wanted of each prompt."""
        return self.n or 1

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop texts as a tuple."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends by counting tokens. On a request that does not stream it changes nothing."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def sampling(self, usual: SamplingDefaults) -> Sampling:
        """Return how the first answer chooses its tokens.

        Args:
            usual: What the model's definition says of what is not asked for.
        """
        return Sampling(
            temperature=_first(self.temperature, usual.temperature, DEFAULTS.temperature),
            top_p=_first(self.top_p, usual.top_p, DEFAULTS.top_p),
            seed=secrets.randbits(32) if self.seed is None else self.seed % 2**32,
            top_k=max(_first(self.top_k, usual.top_k, 0), 0),
            min_p=_first(self.min_p, usual.min_p, 0.0),
            frequency_penalty=_first(self.frequency_penalty, 0.0),
            presence_penalty=_first(self.presence_penalty, 0.0),
            repetition_penalty=_first(self.repetition_penalty, usual.repetition_penalty, 1.0),
            logit_bias=tuple(sorted((int(token), bias) for token, bias in (self.logit_bias or {}).items())),
        )


def _first(*values: T | None) -> T:
    """Return the first value that is one."""
    return next(value for value in values if value is not None)


_OWN_WORDS = {"none_required": "it is not offered here, so it must be left out"}
"""What is said where pydantic's words would not tell what to do."""

_LENGTHS = {"too_long", "too_short"}
"""What pydantic says of a list that is one."""

_FORMS = {"str", "int", "float", "bool", "dict", "list", "nullable"}
"""What pydantic calls the forms that a value may have."""


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return the dotted path of the first field at fault and one sentence about it."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    first_field = faults[0]["loc"][:1]
    # A field of several forms fails once for each; a form of which only the length is wrong, or the one that got
    # furthest, is what was meant.
    ranks = [
        (fault["type"] in _LENGTHS, len(_path(fault["loc"])), not fault["type"].endswith("_type")) for fault in faults
    ]
    here = [fault["loc"][:1] == first_field for fault in faults]
    best = max(rank for rank, is_here in zip(ranks, here, strict=True) if is_here)
    meant = [fault for fault, rank, is_here in zip(faults, ranks, here, strict=True) if is_here and rank == best]
    field = ".".join(_path(meant[0]["loc"])) or "body"
    said = dict.fromkeys(
        _OWN_WORDS.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        for fault in meant
        if _path(fault["loc"]) == _path(meant[0]["loc"])
    )
    return field, f"{field}: {', or: '.join(said)}."


def _path(location: tuple[Any, ...]) -> list[str]:
    """Return names and positions of the document, without the names of the forms that were tried."""
    return [str(part) for part in location if isinstance(part, int) or _names_field(part)]


def _names_field(part: str) -> bool:
    # Fields begin with a small letter, our forms with a large one; pydantic's others are no words.
    return part.isidentifier() and not part[0].isupper() and part not in _FORMS
