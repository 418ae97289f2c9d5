"""One answer in the making."""

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import Delta, FinishReason
from peft_engine.inference.sampler import Logits
from peft_engine.inference.transformers.adapters import AdapterKey
from peft_engine.inference.transformers.memory import BLOCK, KeyValues


class TransformersSequence:
    """Its prompt is computed in blocks first, then a token at each step."""

    def __init__(
        self, prompt: tuple[int, ...], adapters: tuple[AdapterKey, ...], memory: KeyValues, answer: Answer
    ) -> None:
        """Begin.

        Args:
            prompt: The whole prompt.
            adapters: What is computed with.
            memory: Holds the K/V of the first blocks, if they were computed before.
            answer: What is made of the logits.
        """
        self.prompt = prompt
        self.adapters = adapters
        self.memory = memory
        self.prompt_tokens = len(prompt)
        self.cached_tokens = memory.length
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

    @property
    def reading(self) -> bool:
        """Whether some of its prompt is still to be computed."""
        return self._answer.newest is None

    def next_tokens(self) -> tuple[int, ...]:
        """Return what is to be computed next: a block of the prompt, or the newest token of the answer."""
        if self._answer.newest is not None:
            return (self._answer.newest,)
        return self.prompt[self.memory.length : self.memory.length + BLOCK]

    def accept(self, logits: Logits) -> None:
        """Choose the token that follows all that was computed."""
        self._answer.accept(logits)

    def take(self) -> Delta:
        """Return what became certain since the last call."""
        return self._answer.take()

    def close(self) -> None:
        """Give the answer up, finished or not, and free its memory."""
        self.closed = True
        self.memory = KeyValues(0)
