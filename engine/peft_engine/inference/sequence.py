"""What every engine's sequences have in common: an answer, and what its prompt had."""

from abc import ABC, abstractmethod

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import Delta, FinishReason
from peft_engine.inference.sampler import Logits
from peft_schemas.errors import WorkbenchError


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
        self.failure: WorkbenchError | None = None
        """Why it alone cannot go on."""
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
    @abstractmethod
    def prompt_left(self) -> int:
        """Tokens of the prompt that are still to be computed."""

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        return not self.closed and self.finish_reason is None and self.failure is None

    def accept(self, logits: Logits) -> None:
        """Choose the token that follows all that was computed. Where none can be, the others go on without it."""
        try:
            self._answer.accept(logits)
        except WorkbenchError as error:
            self.failure = error

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
