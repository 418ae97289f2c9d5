"""What the answers of `POST /v1/responses` look like, whole and in pieces."""

from typing import Any, Literal

from peft_engine.inference.http.operations import Shape

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(Shape):
    """Text of an answer."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[Any] = []
    logprobs: list[Any] = []


class OutputMessage(Shape):
    """Something that the model says."""

    type: Literal["message"] = "message"
    id: str
    role: Literal["assistant"] = "assistant"
    status: ItemStatus
    content: list[OutputText]


class OutputCall(Shape):
    """A call that the model makes."""

    type: Literal["function_call"] = "function_call"
    id: str
    call_id: str
    """What its result names."""

    name: str
    arguments: str
    """JSON as a text."""

    status: ItemStatus


class InputDetails(Shape):
    """More of the input."""

    cached_tokens: int


class OutputDetails(Shape):
    """More of the output."""

    reasoning_tokens: int = 0


class ResponseUsage(Shape):
    """Tokens."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails = OutputDetails()
    total_tokens: int


class ResponseFault(Shape):
    """Why there is no more of the answer."""

    code: str
    message: str


class IncompleteDetails(Shape):
    """Why the answer ends early."""

    reason: Literal["max_output_tokens"]


class ResponseAnswer(Shape):
    """An answer."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    error: ResponseFault | None = None
    incomplete_details: IncompleteDetails | None = None
    model: str
    output: list[OutputMessage | OutputCall]
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str] | None
    parallel_tool_calls: bool
    previous_response_id: None = None
    store: Literal[False] = False
    """Nothing is kept."""

    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_p: float | None
    truncation: Literal["disabled"] = "disabled"
    usage: ResponseUsage | None = None


class ResponseEvent(Shape):
    """An event of a stream. Which fields it has depends on its type."""

    type: Literal[
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
        "response.incomplete",
        "response.failed",
    ]
    sequence_number: int
    response: ResponseAnswer | None = None
    output_index: int | None = None
    content_index: int | None = None
    item_id: str | None = None
    item: OutputMessage | OutputCall | None = None
    part: OutputText | None = None
    delta: str | None = None
    text: str | None = None
    name: str | None = None
    arguments: str | None = None
    logprobs: list[Any] | None = None
