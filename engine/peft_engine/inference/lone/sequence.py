"""One answer in the making."""

from peft_engine.inference.answer import Answer
from peft_engine.inference.lone.weights import KeyValues
from peft_engine.inference.sequence import EngineSequence

BLOCK = 64
"""Prompt tokens in one step. A cancel waits for one of them."""


class LoneSequence(EngineSequence):
    """Its prompt is computed in blocks first, then a token at each step."""

    def __init__(self, prompt: tuple[int, ...], memory: KeyValues, answer: Answer) -> None:
        """Begin.

        Args:
            prompt: The whole prompt.
            memory: Empty.
            answer: What is made of the logits.
        """
        super().__init__(answer, prompt_tokens=len(prompt), cached_tokens=0)
        self._prompt = prompt
        self._memory: KeyValues | None = memory

    @property
    def prompt_left(self) -> int:
        """Tokens of its prompt that are still to be computed."""
        return 0 if self._memory is None else max(0, self.prompt_tokens - self._memory.length)

    @property
    def memory_bytes(self) -> int:
        """What its K/V take."""
        return 0 if self._memory is None else self._memory.memory_bytes

    def step(self) -> None:
        """Compute a block of the prompt, or the newest token; choose the next token when there is one to choose."""
        if self._memory is None:
            return
        newest, done = self._answer.newest, self._memory.length
        tokens = self._prompt[done : done + BLOCK] if newest is None else (newest,)
        logits = self._memory.compute(tokens)
        if self._memory.length >= self.prompt_tokens:
            self.accept(logits)

    def _free(self) -> None:
        self._memory = None
