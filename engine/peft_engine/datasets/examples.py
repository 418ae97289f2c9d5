"""The one form that every dataset is brought to."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]

LONGEST_EXAMPLE = 16 * 2**20
"""Characters. A longer record is a whole file that was meant to be many; tokenising it would take gigabytes."""


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
