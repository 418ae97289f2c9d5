"""The models that can be chatted with, one question to one of them, and what comes back."""

from typing import Any, Literal

from peft_schemas.base import Word
from peft_schemas.conversations import AnswerMeasures
from peft_schemas.errors import ErrorReport


class ChatModel(Word):
    """A model that can be chatted with: a base, or a base with one adapter."""

    id: str
    """`<base>` or `<base>:<run id>`, the id that the HTTP API takes."""

    label: str
    """A short name for people."""

    base: str
    run_id: str | None
    context_length: int
    tool_calling: bool
    """Whether the model's own template knows tools."""


class ChatModelsResult(Word):
    """The models that can be served on this machine now, bases first."""

    models: list[ChatModel]


class ToolCall(Word):
    """A function that the model wants to be called."""

    id: str
    name: str
    arguments: str
    """A JSON object, as the model wrote it."""


class ChatTool(Word):
    """A function that the model may ask for."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    """A JSON Schema of the arguments."""


class ChatMessage(Word):
    """One turn."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: list[ToolCall] = []
    """Of an assistant's turn."""

    tool_call_id: str | None = None
    """Of a tool's turn: the call that it answers."""


class ChatParams(Word):
    """Ask a model. Pieces of the answer come as `peft/chat/delta` with the same `request_id`; cancel by `$/cancelRequest`."""

    request_id: str
    model: str
    messages: list[ChatMessage]
    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    tools: list[ChatTool] = []
    tool_choice: Literal["auto", "required"] = "auto"
    """Whether the model decides, or has to call a tool."""


class ChatResult(Word):
    """The whole answer, or why there is none."""

    text: str
    finish_reason: Literal["stop", "length", "tool_calls", "cancelled", "error"]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    measures: AnswerMeasures | None = None
    """What the answer took, when it is complete."""

    tool_calls: list[ToolCall] = []
    error: ErrorReport | None = None


class ChatDeltaParams(Word):
    """A piece of an answer."""

    request_id: str
    text: str


class PromptsParams(Word):
    """Name a run, whose profile says what it was trained for; None for a base."""

    run_id: str | None = None


class PromptsResult(Word):
    """Prompts to try a model with."""

    title: str
    """What they are for."""

    prompts: list[str]
