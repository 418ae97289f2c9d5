"""One answer in the making, in one sequence of the context."""

from collections import deque

from peft_engine.inference.answer import Answer
from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.blocks import BLOCK, PART, Block, cut
from peft_engine.inference.llama.context import NextToken
from peft_engine.inference.llama.slots import Slot, Slots
from peft_engine.inference.sampler import Logits
from peft_engine.inference.sequence import EngineSequence


class LlamaSequence(EngineSequence):
    """Its prompt is computed in blocks first, then a token at each step."""

    def __init__(self, prompt: tuple[int, ...], key: AdapterKey, answer: Answer, slot: Slot, slots: Slots) -> None:
        """Begin.

        Args:
            prompt: The whole prompt.
            key: The adapters that it is computed under.
            answer: What is made of the logits.
            slot: Holds the K/V of the prompt's first blocks. Given back to `slots` when the answer is closed.
            slots: Where it came from.
        """
        super().__init__(answer, prompt_tokens=len(prompt), cached_tokens=slot.tokens)
        self.key = key
        self._left = deque(cut(prompt)[len(slot.blocks) :])
        self._computed = self.cached_tokens
        self._slot = slot
        self._slots = slots

    @property
    def number(self) -> int:
        """The sequence of the context."""
        return self._slot.sequence

    @property
    def position(self) -> int:
        """Where its next token stands."""
        return self._computed

    @property
    def next_block(self) -> Block:
        """What is to be computed next of its prompt, while some of it is."""
        return self._left[0]

    @property
    def prompt_left(self) -> int:
        """Tokens of its prompt that are still to be computed."""
        return max(0, self.prompt_tokens - self._computed)

    def next_token(self) -> NextToken:
        """Return what is to be computed next of its answer.

        Raises:
            ValueError: Its prompt is not computed yet.
        """
        if self._answer.newest is None:
            raise ValueError("an answer begins after its prompt")
        return NextToken(self.number, self._computed, self._answer.newest)

    def computed_block(self) -> bool:
        """Note that the next block of the prompt was computed; tell whether it was the last."""
        block = self._left.popleft()
        self._computed += len(block)
        if len(block) in (BLOCK, PART):
            self._slot.blocks.append(block)
        return not self._left

    def computed_token(self, logits: Logits) -> None:
        """Note that the newest token was computed, and choose the one after it."""
        self._computed += 1
        self.accept(logits)

    def _free(self) -> None:
        """Give the slot back. Its K/V stay for a prompt that begins alike."""
        self._slots.release(self._slot)
