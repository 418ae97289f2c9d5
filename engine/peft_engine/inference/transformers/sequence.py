"""One answer in the making."""

from peft_engine.inference.answer import Answer
from peft_engine.inference.sequence import EngineSequence
from peft_engine.inference.transformers.adapters import AdapterKey
from peft_engine.inference.transformers.memory import BLOCK, KeyValues


class TransformersSequence(EngineSequence):
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
        super().__init__(answer, prompt_tokens=len(prompt), cached_tokens=memory.length)
        self.prompt = prompt
        self.adapters = adapters
        self.memory = memory

    @property
    def prompt_left(self) -> int:
        """Tokens of its prompt that are still to be computed."""
        return max(0, self.prompt_tokens - self.memory.length)

    def next_tokens(self) -> tuple[int, ...]:
        """Return what is to be computed next: a block of the prompt, or the newest token of the answer."""
        if self._answer.newest is not None:
            return (self._answer.newest,)
        return self.prompt[self.memory.length : self.memory.length + BLOCK]

    def _free(self) -> None:
        self.memory = KeyValues(0)
