"""What the answers of `POST /v1/completions` look like. In a stream each event is one with more of the text."""

from typing import Literal

from peft_engine.inference.http.operations import Shape
from peft_engine.inference.http.text_shapes import FinishReason, Timings, Usage


class CompletionLogprobs(Shape):
    """The tokens behind the text, in the older form."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]
    """Where in the answer each token begins, in characters."""


class CompletionChoice(Shape):
    """One answer."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: FinishReason | None


class Completion(Shape):
    """One answer or several, or more of them."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage | None = None
    timings: Timings | None = None
