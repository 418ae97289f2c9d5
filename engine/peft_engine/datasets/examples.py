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

    @property
    def characters(self) -> int:
        """How long the turns are together."""
        return sum(len(message.content) for message in self.messages)


@dataclass(frozen=True)
class Text:
    """An example that is learned as it stands, every token of it."""

    text: str

    @property
    def characters(self) -> int:
        """How long the text is."""
        return len(self.text)


Example = Conversation | Text
