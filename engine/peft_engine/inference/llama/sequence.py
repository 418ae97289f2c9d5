"""One answer in the making, in one sequence of the context."""

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import Delta, FinishReason
from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.context import BLOCK, NextToken
from peft_engine.inference.llama.slots import Slot, Slots
from peft_engine.inference.sampler import Logits


class LlamaSequence:
    """Its prompt is computed in blocks first, then a token at each step."""

    def __init__(self, prompt: list[int], key: AdapterKey, answer: Answer, slot: Slot, slots: Slots) -> None:
        """Begin.

        Args:
            prompt: The whole prompt.
            key: The adapters that it is computed under.
            answer: What is made of the logits.
            slot: Holds the K/V of the prompt's first blocks. Given back to `slots` when the answer is closed.
            slots: Where it came from.
        """
        self.key = key
        self.prompt_tokens = len(prompt)
        self.cached_tokens = len(slot.blocks) * BLOCK
        self.closed = False
        self._prompt = prompt
        self._computed = self.cached_tokens
        self._answer = answer
        self._slot = slot
        self._slots = slots

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
    def number(self) -> int:
        """The sequence of the context."""
        return self._slot.sequence

    @property
    def position(self) -> int:
        """Where its next token stands."""
        return self._computed

    @property
    def next_block(self) -> list[int]:
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

    def computed_block(self, block: list[int]) -> bool:
        """Note that a block of the prompt was computed; tell whether it was the last."""
        self._computed += len(block)
        if len(block) == BLOCK:
            self._slot.blocks.append(tuple(block))
        return self._computed >= self.prompt_tokens

    def accept(self, logits: Logits) -> None:
        """Choose the first token after the prompt."""
        self._answer.accept(logits)

    def computed_token(self, logits: Logits) -> None:
        """Note that the newest token was computed, and choose the one after it."""
        self._computed += 1
        self._answer.accept(logits)

    def take(self) -> Delta:
        """Return what became certain since the last call."""
        return self._answer.take()

    def close(self) -> None:
        """Give the answer up, finished or not. Its K/V stay for a prompt that begins alike."""
        if not self.closed:
            self.closed = True
            self._slots.release(self._slot)
