"""What answers look like that count tokens: OpenAI's usage, and our timings beside it."""

from typing import Literal

from peft_engine.inference.http.operations import Shape

FinishReason = Literal["stop", "length", "tool_calls"]


class PromptDetails(Shape):
    """More of the prompt."""

    cached_tokens: int
    """Those that were computed before."""


class Usage(Shape):
    """Tokens, the prompt's counted once however many answers it got."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class Timings(Shape):
    """How long it took. Seconds count from the request's arrival."""

    queued_seconds: float
    first_token_seconds: float
    tokens_per_second: float | None
    """Of all answers together; None for a single token."""
