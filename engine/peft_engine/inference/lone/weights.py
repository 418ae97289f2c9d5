"""What a runtime offers that computes one sequence at a time."""

from collections.abc import Sequence
from typing import Protocol

from peft_engine.inference.sampler import Logits


class KeyValues(Protocol):
    """What a model keeps of one sequence."""

    @property
    def length(self) -> int:
        """Tokens held."""

    @property
    def memory_bytes(self) -> int:
        """What they take."""

    def compute(self, tokens: Sequence[int]) -> Logits:
        """Append tokens and return the logits, float32 [vocabulary], after the last one."""


class Weights(Protocol):
    """A model in memory."""

    @property
    def vocabulary_size(self) -> int:
        """Rows of the output layer."""

    @property
    def ends(self) -> tuple[int, ...]:
        """Tokens that end an answer."""

    @property
    def trained_context(self) -> int:
        """How many tokens the model was made for."""

    @property
    def memory_bytes(self) -> int:
        """What it takes."""

    def begin(self, capacity: int) -> KeyValues:
        """Return an empty memory for one sequence.

        Args:
            capacity: The most tokens that it will hold.
        """

    def unload(self) -> None:
        """Free the memory. No sequence may be left."""
