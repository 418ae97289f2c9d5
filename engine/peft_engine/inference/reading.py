"""Whose prompt is read. One prompt is, and not each of them by turns.

Of prompts that are read side by side each has its first token when all are read; of those read one after the other only
the last has. So the shortest rest is read first, which makes the mean wait the least there can be (Smith, 1956). Lest a
stream of short prompts hold up a long one for good, every second block is of the prompt that came first.
"""

from collections.abc import Iterable
from typing import TypeVar

from peft_engine.inference.sequence import EngineSequence

S = TypeVar("S", bound=EngineSequence)


class Reading:
    """Chooses among an engine's prompts."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._blocks = 0

    def next(self, sequences: Iterable[S]) -> S | None:
        """Return whose block is read next, None where there is no prompt to be read.

        Args:
            sequences: The open ones, in the order in which they came.
        """
        reading = [sequence for sequence in sequences if sequence.prompt_left]
        if not reading:
            return None
        return reading[0] if self._blocks % 2 else min(reading, key=lambda sequence: sequence.prompt_left)

    def read(self) -> None:
        """Note that a block of the one that was next has been read."""
        self._blocks += 1
