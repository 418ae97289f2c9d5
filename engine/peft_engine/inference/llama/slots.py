"""Which sequence of a context holds the K/V of which prompt, and where a new prompt begins with least to compute.

K/V serve a prompt under the adapters and scales they were made under and no other. They are used again in whole blocks
from the beginning of a prompt: a matrix product over one token rounds otherwise than one over many, and a cold run
makes whole blocks as they were made here. So an answer is what it would be without any of this, to the bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.blocks import Block, cut


@dataclass(eq=False)
class Slot:
    """One sequence of the context."""

    sequence: int
    key: AdapterKey = ()
    blocks: list[Block] = field(default_factory=list)
    """The whole blocks of a prompt whose K/V it holds, from the prompt's beginning."""

    busy: bool = False
    used: int = 0
    """When it was last given away or back; larger is later."""

    @property
    def tokens(self) -> int:
        """How many tokens the blocks have."""
        return sum(map(len, self.blocks))

    def common_blocks(self, key: AdapterKey, blocks: Sequence[Block]) -> int:
        """Return how many blocks of a prompt it holds."""
        if key != self.key:
            return 0
        same = 0
        while same < min(len(blocks), len(self.blocks)) and blocks[same] == self.blocks[same]:
            same += 1
        return same


@dataclass(frozen=True)
class Start:
    """Where a prompt begins."""

    slot: Slot
    source: Slot
    """Whose K/V are copied first; the slot itself for none."""

    tokens: int
    """How many of the prompt need not be computed."""


class Slots:
    """Gives each answer a sequence of its own."""

    def __init__(self, number: int) -> None:
        """Start with nothing computed."""
        self._slots = [Slot(sequence) for sequence in range(number)]
        self._clock = count(1)

    def take(self, prompt: Sequence[int], key: AdapterKey) -> Start:
        """Choose a free slot for a prompt and mark it as busy, as holding what `Start.tokens` says.

        There must be a free one. The K/V of a running answer, or of one that has more than this prompt begins with,
        are copied and not taken, as long as there is another place.
        """
        # The last token is always computed: its logits choose the first word of the answer.
        blocks = cut(prompt)[:-1]
        common = {slot.sequence: slot.common_blocks(key, blocks) for slot in self._slots}
        source = max(self._slots, key=lambda slot: (common[slot.sequence], not slot.busy, slot.used))
        kept = common[source.sequence]
        free = [slot for slot in self._slots if not slot.busy]
        if source in free and kept and kept == len(source.blocks):
            target = source
        else:
            others = [slot for slot in free if slot is not source]
            target = min(others or free, key=lambda slot: (bool(slot.blocks), slot.used))
        if not kept:
            source = target
        target.key, target.blocks = key, blocks[:kept]
        target.busy, target.used = True, next(self._clock)
        return Start(target, source, target.tokens)

    def release(self, slot: Slot) -> None:
        """Give a slot back. What it holds can be used again."""
        slot.busy, slot.used = False, next(self._clock)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._slots)
