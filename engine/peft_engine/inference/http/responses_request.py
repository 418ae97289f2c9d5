"""What `POST /v1/responses` takes: the part of it that needs no memory of earlier requests.

Everything is told to the model as a chat, so there is one way to hold a conversation and two ways to ask for it.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from peft_engine.inference.http.asking import BodyAtFault
from peft_engine.inference.http.bounds import LIMITS
from peft_engine.inference.http.chat_request import ChatCompletionRequest
from peft_engine.inference.http.requests import Body, TokenLimit, first_fault

_STATELESS = "nothing is kept of earlier requests, so send the whole conversation in input"


class InputText(Body):
    """A piece of text that was said. Only text can be read by the models served here."""

    type: Literal["input_text", "output_text", "text"]
    text: str


class InputMessage(Body):
    """Something that was said."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[InputText]


class InputCall(Body):
    """A call that the model made."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


class InputResult(Body):
    """What the call gave."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[InputText]


class ResponsesTool(Body):
    """A function that the model may call. No other tool is known."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedChoice(Body):
    """The only function that may be called, and must be."""

    type: Literal["function"]
    name: str


class TextFormat(Body):
    """The form of the text."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class TextOptions(Body):
    """How the text is to be."""

    format: TextFormat = TextFormat()


class ResponsesRequest(Body):
    """The body of a request."""

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[InputCall | InputResult | InputMessage], Field(min_length=1)]
    )
    """What was said, the question last."""

    instructions: str | None = None
    """What the model is told first."""

    max_output_tokens: TokenLimit | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stream: bool | None = None
    text: TextOptions = TextOptions()
    tools: Annotated[list[ResponsesTool], Field(max_length=LIMITS.tools)] = []
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    """Given back as it came."""

    store: bool | None = None
    """Nothing is ever kept, whatever this says; the answer says so too."""

    # Known, and only possible with the value that changes nothing.
    previous_response_id: None = None
    conversation: None = None
    prompt: None = None
    background: Literal[False] | None = None
    truncation: Literal["disabled"] | None = None
    top_logprobs: Literal[0] | None = None

    @field_validator("previous_response_id", "conversation", mode="before")
    @classmethod
    def _needs_no_memory(cls, value: object) -> object:
        if value is not None:
            raise ValueError(_STATELESS)
        return value

    def chat(self) -> ChatCompletionRequest:
        """Return the same as a chat.

        Raises:
            BodyAtFault: It is none that can be held.
        """
        chat = {
            "model": self.model,
            "messages": self._messages(),
            "max_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "tools": [{"type": "function", "function": tool.model_dump(exclude={"type"})} for tool in self.tools],
            "tool_choice": _chat_choice(self.tool_choice),
            "parallel_tool_calls": self.parallel_tool_calls,
            "response_format": self._format(),
        }
        try:
            return ChatCompletionRequest.model_validate(chat)
        except ValidationError as error:
            field, sentence = first_fault(error)
            ours = field.replace("response_format.json_schema", "text.format").replace(".function.", ".")
            raise BodyAtFault(ours, sentence.replace(field, ours, 1)) from error

    def _messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        if self.instructions is not None:
            messages.append({"role": "system", "content": self.instructions})
        if isinstance(self.input, str):
            return [*messages, {"role": "user", "content": self.input}]
        names = {item.call_id: item.name for item in self.input if isinstance(item, InputCall)}
        for item in self.input:
            match item:
                case InputCall():
                    function = {"name": item.name, "arguments": item.arguments}
                    # Calls that were made together, and what was said with them, are one turn of a chat.
                    if not messages or messages[-1]["role"] != "assistant":
                        messages.append({"role": "assistant", "content": None})
                    messages[-1].setdefault("tool_calls", []).append({"id": item.call_id, "function": function})
                case InputResult():
                    name = names.get(item.call_id)
                    turn = {"role": "tool", "tool_call_id": item.call_id, "name": name, "content": _text(item.output)}
                    messages.append(turn)
                case InputMessage():
                    messages.append({"role": item.role, "content": _text(item.content)})
        return messages

    def _format(self) -> dict[str, Any]:
        wanted = self.text.format
        if wanted.type != "json_schema":
            return {"type": wanted.type}
        schema = None if wanted.schema_ is None else {"name": wanted.name, "schema": wanted.schema_}
        return {"type": "json_schema", "json_schema": schema}


def _chat_choice(choice: str | NamedChoice | None) -> object:
    if isinstance(choice, NamedChoice):
        return {"type": "function", "function": {"name": choice.name}}
    return choice


def _text(content: str | list[InputText]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)
