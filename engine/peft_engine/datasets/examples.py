"""The one form that every dataset is brought to."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Conversation:
    """An example that is written with the model's chat template. At least one turn is the assistant's."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Text:
    """An example that is learned as it stands, every token of it."""

    text: str


Example = Conversation | Text
