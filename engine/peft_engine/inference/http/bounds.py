"""What a request may ask for, as `profiles/peft_profiles/requests.yaml` has it."""

from typing import Annotated

from pydantic import Field

from peft_engine.profiles import read_data
from peft_schemas.base import Word

_Count = Annotated[int, Field(ge=1)]


class Limits(Word):
    """The most of each."""

    answers: _Count
    prompts: _Count
    stops: _Count
    tools: _Count
    top_logprobs: _Count
    legacy_logprobs: _Count
    biased_tokens: _Count


class Defaults(Word):
    """What is taken where a request does not say."""

    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    completion_tokens: _Count


class Streams(Word):
    """How long is waited, in seconds."""

    keep_alive_seconds: Annotated[int, Field(gt=0)]
    """A stream that is silent for so long sends a comment."""

    patience_seconds: Annotated[int, Field(gt=0)]
    """A client that takes nothing for so long is given up."""


class Bounds(Word):
    """The content of `requests.yaml`."""

    limits: Limits
    defaults: Defaults
    streams: Streams


BOUNDS = Bounds.model_validate(read_data("requests.yaml"))
LIMITS, DEFAULTS, STREAMS = BOUNDS.limits, BOUNDS.defaults, BOUNDS.streams
