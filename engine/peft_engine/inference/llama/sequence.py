"""One answer in the making, in one sequence of the context."""

from peft_engine.inference.answer import Answer
from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.context import BLOCK, NextToken
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
        super().__init__(answer, prompt_tokens=len(prompt), cached_tokens=len(slot.blocks) * BLOCK)
        self.key = key
        self._prompt = prompt
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
    def next_block(self) -> tuple[int, ...]:
        """What is to be computed next of its prompt; nothing once all of it is."""
        return self._prompt[self._computed : self._computed + BLOCK]

    @property
    def reading(self) -> bool:
        """Whether some of its prompt is still to be computed."""
        return self._computed < self.prompt_tokens

    def next_token(self) -> NextToken:
        """Return what is to be computed next of its answer.

        Raises:
            ValueError: Its prompt is not computed yet.
        """
        if self._answer.newest is None:
            raise ValueError("an answer begins after its prompt")
        return NextToken(self.number, self._computed, self._answer.newest)

    def computed_block(self, block: tuple[int, ...]) -> bool:
        """Note that a block of the prompt was computed; tell whether it was the last."""
        self._computed += len(block)
        if len(block) == BLOCK:
            self._slot.blocks.append(block)
        return self._computed >= self.prompt_tokens

    def computed_token(self, logits: Logits) -> None:
        """Note that the newest token was computed, and choose the one after it."""
        self._computed += 1
        self._answer.accept(logits)

    def _free(self) -> None:
        """Give the slot back. Its K/V stay for a prompt that begins alike."""
        self._slots.release(self._slot)
