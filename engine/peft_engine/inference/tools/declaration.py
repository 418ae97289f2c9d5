"""What a client says of the functions that the model may call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
"""The schema of a function that declares no parameters."""


@dataclass(frozen=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str
    """Empty for none."""

    parameters: Mapping[str, Any]
    """The JSON Schema of its arguments, which are an object."""

    strict: bool = False
    """Whether its arguments must keep to the schema even when the model calls it of its own accord."""

    def declaration(self) -> dict[str, Any]:
        """Return it in OpenAI's shape, as chat templates read it."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class ToolUse:
    """Which functions there are and how they are to be used."""

    tools: tuple[Tool, ...]
    choice: Literal["auto", "required", "named"]
    """Whether the model may call one, must call one, or must call the only one that is left in `tools`."""

    parallel: bool = True
    """Whether one answer may call several."""
