"""What the answers of `POST /v1/chat/completions` look like, whole and in pieces."""

from typing import Literal

from peft_engine.inference.http.operations import Shape
from peft_engine.inference.http.text_shapes import FinishReason, Timings, Usage


class LikelyToken(Shape):
    """A token that could have stood here."""

    token: str
    """Its text; what is no whole character shows as U+FFFD."""

    logprob: float
    """Natural logarithm of its probability, before sampling changes it."""

    bytes: list[int]


class ChosenToken(LikelyToken):
    """A token of the answer."""

    top_logprobs: list[LikelyToken]


class ChoiceLogprobs(Shape):
    """The tokens behind the text."""

    content: list[ChosenToken]
    refusal: None = None


class CalledFunction(Shape):
    """Which function is called, and how. In a stream, each is there when it becomes known."""

    name: str | None = None
    arguments: str | None = None
    """JSON as a text."""


class ToolCall(Shape):
    """A call that the model makes."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ToolCallDelta(Shape):
    """More of a call."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: CalledFunction


class ChatMessage(Shape):
    """What the model says."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[ToolCall] | None = None


class ChatChoice(Shape):
    """One answer."""

    index: int
    message: ChatMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(Shape):
    """A whole answer, or several."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage
    timings: Timings


class ChatDelta(Shape):
    """More of what the model says."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChatChunkChoice(Shape):
    """More of one answer."""

    index: int
    delta: ChatDelta
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason | None


class ChatCompletionChunk(Shape):
    """An event of a stream. The last one has no choices, if usage was asked for."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChunkChoice]
    usage: Usage | None = None
    timings: Timings | None = None
