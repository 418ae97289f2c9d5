"""What every engine's sequences have in common: an answer, and what its prompt had."""

from abc import ABC, abstractmethod

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import Delta, FinishReason
from peft_engine.inference.sampler import Logits


class EngineSequence(ABC):
    """One answer in the making. An engine's own adds where its K/V are. Contract: `OpenSequence`."""

    def __init__(self, answer: Answer, *, prompt_tokens: int, cached_tokens: int) -> None:
        """Begin.

        Args:
            answer: What is made of the logits.
            prompt_tokens: Tokens of the prompt.
            cached_tokens: How many of them were computed before.
        """
        self.prompt_tokens = prompt_tokens
        self.cached_tokens = cached_tokens
        self.closed = False
        self._answer = answer

    @property
    def completion_tokens(self) -> int:
        """Tokens generated so far, without the one that ends the answer."""
        return self._answer.completion_tokens

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended, None while it goes on."""
        return self._answer.finish_reason

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        return not self.closed and self.finish_reason is None

    def accept(self, logits: Logits) -> None:
        """Choose the token that follows all that was computed."""
        self._answer.accept(logits)

    def take(self) -> Delta:
        """Return what became certain since the last call."""
        return self._answer.take()

    def close(self) -> None:
        """Give the answer up, finished or not, and free what it holds."""
        if not self.closed:
            self.closed = True
            self._free()

    @abstractmethod
    def _free(self) -> None:
        """Free what the engine gave it."""
