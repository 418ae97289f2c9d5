"""Which sequence of a context holds the K/V of which prompt, and where a new prompt begins with least to compute.

K/V serve a prompt under the adapters and scales they were made under and no other. They are used again in whole blocks
from the beginning of a prompt: a matrix product over one token rounds otherwise than one over many, and a cold run
makes whole blocks as they were made here. So an answer is what it would be without any of this, to the bit.

The logits behind a prompt's last token are kept too: a prompt that is known as a whole needs no computing at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.blocks import PART, Block, cut
from peft_engine.inference.sampler import Logits

_SHARE = 8
"""What a prompt has beyond others is worth keeping when it is at least one part in so many of it. Else it would take
the memory of the whole prompt to save little: many short questions behind one long introduction."""


@dataclass(eq=False)
class Computed:
    """A prompt, or the beginning of one, whose K/V are somewhere."""

    key: AdapterKey = ()
    blocks: list[Block] = field(default_factory=list)
    logits: Logits | None = None
    """Those behind the last block, if that is the end of the prompt. Never written to."""

    used: int = 0
    """When it was last of use; larger is later."""

    @property
    def tokens(self) -> int:
        """How many tokens the blocks have."""
        return sum(map(len, self.blocks))

    def common_blocks(self, key: AdapterKey, blocks: Sequence[Block]) -> int:
        """Return how many blocks of a prompt it has."""
        if key != self.key:
            return 0
        same = 0
        while same < min(len(blocks), len(self.blocks)) and blocks[same] == self.blocks[same]:
            same += 1
        return same

    def usable_blocks(self, key: AdapterKey, blocks: Sequence[Block]) -> int:
        """Return how many blocks of a whole prompt need not be computed: the last one only where its logits are known.

        Those choose the first word of the answer.
        """
        same = self.common_blocks(key, blocks)
        if same == len(blocks) and (self.logits is None or len(self.blocks) > same):
            return same - 1
        return same

    def adds_to(self, others: Iterable["Computed"]) -> bool:
        """Tell whether much of it would have to be computed anew if only these others were there."""
        common = max((other.common_blocks(self.key, self.blocks) for other in others), default=0)
        own = sum(map(len, self.blocks[common:]))
        return own > PART and own * _SHARE >= self.tokens


@dataclass(eq=False)
class Slot(Computed):
    """One sequence of the context."""

    sequence: int = 0
    busy: bool = False


@dataclass(frozen=True)
class Start:
    """Where a prompt begins."""

    slot: Slot
    source: Computed
    """Whose K/V are brought first; the slot itself for none."""

    tokens: int
    """How many of the prompt need not be computed."""

    given_up: Computed | None = None
    """What the slot held until now, if it is worth keeping."""


class Slots:
    """Gives each answer a sequence of its own."""

    def __init__(self, number: int, *, beside: bool = False) -> None:
        """Start with nothing computed.

        Args:
            number: How many slots there are.
            beside: Whether answers that go on together get sequences that follow each other, which llama.cpp computes
                in one piece, although a prompt leaves its slot for that which was used later than another.
        """
        self._beside = beside
        self._slots = [Slot(sequence=sequence) for sequence in range(number)]
        self._clock = count(1)

    def take(self, prompt: Sequence[int], key: AdapterKey, kept: Sequence[Computed] = ()) -> Start:
        """Choose a free slot for a prompt and mark it as busy, as holding what `Start.tokens` says.

        There must be a free one. The K/V of a running answer, or of one that has more than this prompt begins with,
        are copied and not taken, as long as there is another place.

        Args:
            prompt: The whole prompt.
            key: The adapters that it is computed under.
            kept: What left its slot and can be brought back.
        """
        blocks = cut(prompt)
        source = _source(key, blocks, [*self._slots, *kept])
        usable = source.usable_blocks(key, blocks)
        if isinstance(source, Slot) and _continued(source, usable):
            target = source
        else:
            target = self._oldest(but=source if usable else None)
        given_up = Computed(target.key, target.blocks, target.logits, target.used)
        logits = source.logits if usable == len(blocks) else None
        if usable:
            source.used = next(self._clock)
        target.key, target.blocks, target.logits = key, blocks[:usable], logits
        target.busy, target.used = True, next(self._clock)
        adds = given_up.adds_to([*self._slots, *kept])
        return Start(target, source if usable else target, target.tokens, given_up if adds else None)

    def look_again(self, slot: Slot, prompt: Sequence[int], kept: Sequence[Computed] = ()) -> Start | None:
        """Return where more of a prompt is by now than its slot has, and count it to the slot; None where nothing is.

        Of several choices of one prompt, or prompts with one beginning, that come together, the first computes it.
        """
        blocks = cut(prompt)
        others = [one for one in (*self._slots, *kept) if one is not slot]
        if not others:
            return None
        source = _source(slot.key, blocks, others)
        most = source.usable_blocks(slot.key, blocks)
        if most <= len(slot.blocks):
            return None
        source.used = next(self._clock)
        slot.blocks, slot.logits = blocks[:most], source.logits if most == len(blocks) else None
        return Start(slot, source, slot.tokens)

    def release(self, slot: Slot) -> None:
        """Give a slot back. What it holds can be used again."""
        slot.busy, slot.used = False, next(self._clock)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._slots)

    def _oldest(self, *, but: Computed | None) -> Slot:
        free = [slot for slot in self._slots if not slot.busy]
        others = [slot for slot in free if slot is not but]
        busy = {slot.sequence for slot in self._slots if slot.busy} if self._beside else set[int]()

        def order(slot: Slot) -> tuple[bool, bool, int]:
            return bool(slot.blocks), busy.isdisjoint((slot.sequence - 1, slot.sequence + 1)), slot.used

        return min(others or free, key=order)


def _continued(slot: Slot, usable: int) -> bool:
    """Tell whether a prompt with so many of a slot's blocks takes it over as it is.

    The end of a prompt is given up for that: a conversation that goes on has something else there.
    """
    return not slot.busy and usable > 0 and sum(map(len, slot.blocks[usable:])) <= PART


def _source(key: AdapterKey, blocks: Sequence[Block], among: Sequence[Computed]) -> Computed:
    """Return what has most of a prompt: what need not be copied before what must be, and the shortest of those."""

    def order(one: Computed) -> tuple[int, bool, int, int]:
        usable = one.usable_blocks(key, blocks)
        return usable, isinstance(one, Slot) and _continued(one, usable), -one.tokens, one.used

    return max(among, key=order)
