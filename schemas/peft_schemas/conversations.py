"""Conversations with models, as they are held in the editor's chat panel and kept by the daemon.

A conversation is a list of exchanges: a prompt, and its answer, or two answers side by side. Whoever changes one names
the revision that the change is made to, so that two windows never overwrite each other in silence.
"""

from typing import Annotated, Literal

from pydantic import Field

from peft_schemas.base import Word
from peft_schemas.errors import ErrorReport

TITLE_LIMIT = 120
"""Characters of a title."""


class AnswerMeasures(Word):
    """What an answer took. Seconds count from the request's arrival in the inference process."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Prompt tokens that were computed for an earlier request already."""

    queued_seconds: float | None = None
    """Until the computation began, loading the base included."""

    first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    """From the first token on; None for an answer of one token."""

    memory_bytes: int | None = None
    """What the inference process had in memory for its models when the answer ended."""


class ConversationAnswer(Word):
    """What one model said, or why it said nothing."""

    model: str
    text: str = ""
    finish_reason: Literal["stop", "length", "cancelled", "error"]
    measures: AnswerMeasures | None = None
    error: ErrorReport | None = None
    """Set exactly when `finish_reason` is `error`; `text` is what came before it."""


class ConversationExchange(Word):
    """A prompt and what came of it."""

    prompt: str
    context: str | None = None
    """Text of the editor's that the prompt is about, sent before it."""

    answers: Annotated[list[ConversationAnswer], Field(min_length=1, max_length=2)]
    """One, or the two of a comparison: the model's and the one it is compared with."""


class ChatSettings(Word):
    """Whom a conversation is with, and how answers are drawn."""

    model: str
    compare_with: str | None = None
    """A second model that answers the same prompts with the same seed; None for no comparison."""

    system: str = ""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_tokens: Annotated[int, Field(ge=1)] = 512
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """None for another one with each prompt."""


class ConversationSummary(Word):
    """A conversation as a list shows it."""

    id: str
    title: str
    created: str
    updated: str
    model: str
    exchanges: int
    revision: int
    """Rises with every change."""


class Conversation(Word):
    """A whole conversation."""

    summary: ConversationSummary
    settings: ChatSettings
    exchanges: list[ConversationExchange]


class ConversationQuery(Word):
    """Find conversations, the latest first."""

    text: str = ""
    """Only those whose title, prompts or answers have this text, upper and lower case being the same; empty for all."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 200


class ConversationList(Word):
    """Conversations, the latest first."""

    conversations: list[ConversationSummary]


class ConversationIdParams(Word):
    """Name a conversation."""

    id: str


class ConversationKeepParams(Word):
    """Keep an exchange: as the next one, or in place of an earlier one and of all that followed it."""

    id: str | None
    """None for a conversation that begins with this exchange; its first prompt becomes its title."""

    revision: int = 0
    """The revision that the exchange was added to."""

    at: Annotated[int, Field(ge=0)]
    """The place of the exchange, counted from 0; at most the number of exchanges there are."""

    exchange: ConversationExchange
    settings: ChatSettings


class ConversationRenameParams(Word):
    """Give a conversation another title."""

    id: str
    title: Annotated[str, Field(min_length=1, max_length=TITLE_LIMIT)]


class ConversationExportParams(Word):
    """Write a conversation out."""

    id: str
    format: Literal["markdown", "json"]


class ConversationText(Word):
    """A conversation written out."""

    text: str
    file_name: str
    """A name for the file, made of the title."""
