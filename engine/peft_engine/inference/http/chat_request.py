"""What `POST /v1/chat/completions` takes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from peft_engine.inference.http.bounds import LIMITS
from peft_engine.inference.http.chat_messages import Messages
from peft_engine.inference.http.requests import Body, TextRequest, TokenLimit
from peft_engine.inference.tools.declaration import NO_ARGUMENTS, Tool, ToolUse

_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}


class DeclaredFunction(Body):
    """A function that the model may call."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,128}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    """The JSON Schema of its arguments; none for no arguments."""

    strict: bool | None = None
    """Whether the arguments keep to the schema even if the model is free to call."""

    @field_validator("parameters")
    @classmethod
    def _are_an_object(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and value.get("type", "object") != "object":
            raise ValueError("the arguments of a function are an object, so its parameters must have the type object")
        return value


class DeclaredTool(Body):
    """Something that the model may use. Only functions are known."""

    type: Literal["function"]
    function: DeclaredFunction

    def tool(self) -> Tool:
        """Return it as the engine knows it."""
        parameters = self.function.parameters or NO_ARGUMENTS
        return Tool(
            self.function.name,
            self.function.description or "",
            {"type": "object", **parameters},
            strict=bool(self.function.strict),
        )


class NamedFunction(Body):
    """The name of a function."""

    name: str


class NamedTool(Body):
    """The only function that may be called, and must be."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchemaFormat(Body):
    """A JSON Schema and its name."""

    name: str | None = None
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class ResponseFormat(Body):
    """The form of the answer. What has a schema keeps to it, whether `strict` is said or not."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = Field(default=None, validate_default=True)

    @field_validator("json_schema")
    @classmethod
    def _has_schema(cls, value: JsonSchemaFormat | None, info: ValidationInfo) -> JsonSchemaFormat | None:
        if value is None and info.data.get("type") == "json_schema":
            raise ValueError("the type json_schema needs a schema")
        return value


class ChatCompletionRequest(TextRequest):
    """The body of a chat completion request."""

    messages: Messages
    max_completion_tokens: TokenLimit | None = None
    """The newer name of `max_tokens`."""

    response_format: ResponseFormat | None = None
    tools: Annotated[list[DeclaredTool], Field(max_length=LIMITS.tools)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    """Whether one answer may call several functions; it may unless this is false."""

    logprobs: bool | None = None
    """Whether each token comes with its log-probability."""

    top_logprobs: Annotated[int, Field(ge=0, le=LIMITS.top_logprobs)] | None = None

    # Known, and only possible with the value that changes nothing.
    functions: list[object] | None = None
    function_call: Literal["none", "auto"] | None = None
    modalities: list[Literal["text"]] | None = None
    audio: None = None
    web_search_options: None = None

    @field_validator("functions")
    @classmethod
    def _are_tools(cls, value: list[object] | None) -> list[object] | None:
        if value:
            raise ValueError("declare functions as tools, which took their place")
        return value

    @field_validator("tools")
    @classmethod
    def _differ(cls, value: list[DeclaredTool] | None) -> list[DeclaredTool] | None:
        names = [tool.function.name for tool in value or ()]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the function {twice} is declared twice")
        return value

    @field_validator("tool_choice")
    @classmethod
    def _is_declared(cls, value: str | NamedTool | None, info: ValidationInfo) -> str | NamedTool | None:
        names = [tool.function.name for tool in info.data.get("tools") or ()]
        if isinstance(value, NamedTool) and value.function.name not in names:
            raise ValueError(f"there is no function {value.function.name} among the tools")
        if value == "required" and not names:
            raise ValueError("a call can only be required of tools that are declared")
        return value

    @field_validator("top_logprobs")
    @classmethod
    def _belongs_to_logprobs(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and not info.data.get("logprobs"):
            raise ValueError("it needs logprobs to be true")
        return value

    @property
    def limit(self) -> int | None:
        """The most tokens that the answer may have, by whichever name it was given."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    @property
    def schema_of_text(self) -> Mapping[str, Any] | None:
        """What an answer in text must be a JSON value of; None for any text."""
        wanted = self.response_format
        if wanted is None or wanted.type == "text":
            return None
        return _ANY_OBJECT if wanted.json_schema is None else wanted.json_schema.schema_

    @property
    def tool_use(self) -> ToolUse | None:
        """The functions that may be called; None where none may be."""
        tools = tuple(tool.tool() for tool in self.tools or ())
        parallel = self.parallel_tool_calls is not False
        match self.tool_choice:
            case "none":
                return None
            case NamedTool(function=NamedFunction(name=name)):
                return ToolUse(tuple(tool for tool in tools if tool.name == name), "named", parallel=False)
            case "required":
                return ToolUse(tools, "required", parallel)
            case _:
                return ToolUse(tools, "auto", parallel) if tools else None
