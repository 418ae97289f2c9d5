"""Bringing the K/V of what was computed before to where a prompt needs them."""

from collections.abc import Sequence

from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.context import Context
from peft_engine.inference.llama.kept import KeptPrompt, KeptPrompts
from peft_engine.inference.llama.slots import Computed, Slot, Slots


class Prefixes:
    """The sequences of a context, and prompts that left them."""

    def __init__(self, context: Context, *, slots: int, kept_bytes: int) -> None:
        """Start with nothing computed.

        Args:
            context: Has the sequences.
            slots: How many.
            kept_bytes: What prompts that left their slot may take.
        """
        self._context = context
        self.kept = KeptPrompts(kept_bytes if context.moves_states else 0)
        # A prompt that is kept comes back in milliseconds; a batch in two pieces costs some ten at each token.
        self.slots = Slots(slots, beside=bool(self.kept.budget))

    def take(self, prompt: Sequence[int], key: AdapterKey) -> Slot:
        """Return a slot that has as much of a prompt as was computed before. There must be a free one."""
        start = self.slots.take(prompt, key, self.kept.prompts)
        if start.given_up is not None:
            self._keep(start.slot, start.given_up)
        self._bring(start.source, start.slot)
        return start.slot

    def look_again(self, slot: Slot, prompt: Sequence[int]) -> bool:
        """Give a slot what others computed of its prompt since it was taken; tell whether it has anything else now."""
        if not self._context.moves_states:
            return False
        start = self.slots.look_again(slot, prompt, self.kept.prompts)
        if start is None:
            return False
        self._bring(start.source, slot)
        return True

    def _keep(self, slot: Slot, prompt: Computed) -> None:
        # Without the answer, whose tokens were computed one by one, as those of a prompt never are.
        if self.kept.budget and self._context.forget(slot.sequence, keep=prompt.tokens):
            size = self._context.state_bytes(slot.sequence)
            self.kept.keep(prompt, size, lambda: self._context.save(slot.sequence))

    def _bring(self, source: Computed, slot: Slot) -> None:
        sound = True
        if isinstance(source, KeptPrompt):
            sound = self._context.restore(slot.sequence, source.state)
        elif isinstance(source, Slot) and source is not slot:
            sound = self._context.copy(source.sequence, slot.sequence)
        if not sound or not self._context.forget(slot.sequence, keep=slot.tokens):
            # A recurrent model has one state for all that it read, of which no end can be cut off.
            self._context.forget(slot.sequence, keep=0)
            slot.blocks.clear()
            slot.logits = None
