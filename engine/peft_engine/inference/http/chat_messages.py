"""The messages of a conversation, as clients send them."""

from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import from_json

from peft_engine.inference.http.requests import Body

_ROLES = {"developer": "system", "function": "tool"}
"""Newer and older names of what chat templates know."""


class ContentPart(Body):
    """One piece of a message's content. Only text can be read by the models served here."""

    type: str
    text: str | None = Field(default=None, validate_default=True)
    refusal: str | None = None
    """What an assistant said instead."""

    @field_validator("type")
    @classmethod
    def _is_text(cls, value: str) -> str:
        if value not in ("text", "refusal"):
            raise ValueError(f"a part of type {value[:40]} cannot be read by the models served here, only text can")
        return value

    @field_validator("text")
    @classmethod
    def _has_text(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("type") == "text":
            raise ValueError("a part of type text needs its text")
        return value


class CalledFunction(Body):
    """Which function the assistant called, and how."""

    name: str
    arguments: str = ""
    """JSON as a text."""


class Call(Body):
    """A call that the assistant made."""

    id: str | None = None
    type: Literal["function"] = "function"
    function: CalledFunction

    def message(self) -> dict[str, Any]:
        """Return it as chat templates read it: with the arguments as an object."""
        arguments: object = self.function.arguments
        # A model may have written something else, and is shown what it wrote then. Pydantic's reader refuses a depth
        # that nothing could write again.
        with suppress(ValueError):
            arguments = from_json(self.function.arguments or "{}")
        return {
            "id": self.id or "",
            "type": "function",
            "function": {"name": self.function.name, "arguments": arguments},
        }


class ChatTurn(Body):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = Field(default=None, validate_default=True)
    name: str | None = None
    tool_calls: list[Call] | None = None
    function_call: CalledFunction | None = None
    """The older form of one of them."""

    tool_call_id: str | None = Field(default=None, validate_default=True)
    """The call of which this is the result."""

    @field_validator("content")
    @classmethod
    def _says_something(cls, value: object, info: ValidationInfo) -> object:
        role = info.data.get("role")
        if value is None and role not in ("assistant", None):
            raise ValueError(f"a message of the role {role} needs a content")
        return value

    @field_validator("tool_call_id")
    @classmethod
    def _answers_a_call(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("role") == "tool":
            raise ValueError("a message of the role tool needs the id of the call that it answers")
        return value

    def text(self) -> str:
        """Return the content as one text."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "".join(part.text or part.refusal or "" for part in self.content)

    def message(self) -> dict[str, Any]:
        """Return it as chat templates read it."""
        message: dict[str, Any] = {"role": _ROLES.get(self.role, self.role), "content": self.text()}
        calls = [call.message() for call in self.tool_calls or ()]
        if self.function_call is not None:
            calls.append(Call(function=self.function_call).message())
        if calls:
            message["tool_calls"] = calls
        if message["role"] == "tool":
            message["tool_call_id"] = self.tool_call_id or ""
            message["name"] = self.name or ""
        return message


Messages = Annotated[list[ChatTurn], Field(min_length=1)]
