"""What `POST /v1/chat/completions` takes.

A field that we do not know is ignored, as OpenAI's clients expect of a compatible service; a known one that we cannot
honour is refused and never dropped in silence.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

_MAX_STOPS = 16


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TextPart(_Part):
    """One piece of a message's content. Only text can be read by the models served here."""

    type: Literal["text"]
    text: str


class ChatTurn(_Part):
    """One message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    def text(self) -> str:
        """Return the content as one text."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "".join(part.text for part in self.content)


class StreamOptions(_Part):
    """How a stream ends."""

    include_usage: bool = False


class TextFormat(_Part):
    """The only answer format so far."""

    type: Literal["text"]


class ChatCompletionRequest(_Part):
    """The body of a chat completion request."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    messages: Annotated[list[ChatTurn], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[str, Field(min_length=1)] | list[Annotated[str, Field(min_length=1)]] | None = None

    # Known, and only possible with the value that changes nothing.
    n: Literal[1] | None = None
    response_format: TextFormat | None = None
    tools: Annotated[list[object], Field(max_length=0)] | None = None
    functions: Annotated[list[object], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    logprobs: Literal[False] | None = None
    frequency_penalty: Literal[0] | None = None
    presence_penalty: Literal[0] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None

    @field_validator("stop")
    @classmethod
    def _few_stops(cls, value: str | list[str] | None) -> str | list[str] | None:
        if isinstance(value, list) and len(value) > _MAX_STOPS:
            raise ValueError(f"at most {_MAX_STOPS} stop texts are possible")
        return value

    @property
    def limit(self) -> int | None:
        """The most tokens that the answer may have, by whichever name it was given."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop texts as a tuple."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


_FORMS = {"str", "TextPart"}
_UNSUPPORTED = {
    "n": "only one answer a request is possible",
    "response_format": "only plain text answers are possible",
    "tools": "tools are not supported yet",
    "functions": "tools are not supported yet",
    "tool_choice": "tools are not supported yet",
    "logprobs": "log-probabilities are not supported yet",
    "frequency_penalty": "penalties are not supported yet",
    "presence_penalty": "penalties are not supported yet",
    "logit_bias": "logit_bias is not supported yet",
}


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return the dotted path of the first field at fault and one sentence about it."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    first_field = faults[0]["loc"][:1]
    # A field of several forms fails once for each; the one that got furthest is what was meant.
    fault = max(
        (fault for fault in faults if fault["loc"][:1] == first_field), key=lambda fault: len(_path(fault["loc"]))
    )
    path = _path(fault["loc"])
    field = ".".join(path) or "body"
    reason = (_UNSUPPORTED.get(path[0]) if path else None) or fault["msg"]
    return field, f"{field}: {reason}."


def _path(location: tuple[int | str, ...]) -> list[str]:
    """Return names and positions of the document, without the names of the forms that were tried."""
    return [str(part) for part in location if isinstance(part, int) or (part.isidentifier() and part not in _FORMS)]
