"""One answer in the making, in one sequence of the context."""

from collections import deque

from peft_engine.inference.answer import Answer
from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.blocks import Block, cut
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
            slot: Holds the K/V of the prompt's first blocks, and its logits where it was known as a whole. Given back
                to `slots` when the answer is closed.
            slots: Where it came from.
        """
        super().__init__(answer, prompt_tokens=len(prompt), cached_tokens=0)
        self.key = key
        self.prompt = prompt
        self.slot = slot
        self._slots = slots
        self._left: deque[Block] = deque()
        self._computed = 0
        self.begin()

    def begin(self) -> None:
        """Begin where its slot is. A prompt that is known as a whole has its first token at once."""
        self.cached_tokens = self._computed = self.slot.tokens
        self._left = deque(cut(self.prompt)[len(self.slot.blocks) :])
        if self.slot.logits is not None:
            self.accept(self.slot.logits)

    @property
    def waits(self) -> bool:
        """Whether nothing was computed of it yet."""
        return self._computed == self.cached_tokens and bool(self._left)

    @property
    def number(self) -> int:
        """The sequence of the context."""
        return self.slot.sequence

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

    def computed_block(self, logits: Logits) -> None:
        """Note that the next block of the prompt was computed, and choose the first token of the answer after the last.

        Args:
            logits: Behind the block. Not kept.
        """
        block = self._left.popleft()
        self._computed += len(block)
        self.slot.blocks.append(block)
        if not self._left:
            self.slot.logits = logits.copy()
            self.accept(logits)

    def computed_token(self, logits: Logits) -> None:
        """Note that the newest token was computed, and choose the one after it."""
        self._computed += 1
        self.accept(logits)

    def _free(self) -> None:
        """Give the slot back. Its K/V stay for a prompt that begins alike."""
        self._slots.release(self.slot)
