"""Where a prompt begins with least to compute, and what K/V may never serve."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.blocks import BLOCK, FAR, PART, Block, cut
from peft_engine.inference.llama.kept import KeptPrompt, KeptPrompts
from peft_engine.inference.llama.slots import Computed, Slot, Slots, Start
from peft_engine.inference.sampler import Logits
from tests.property.strategies import examples

BARE: AdapterKey = ()
ADAPTED: AdapterKey = (("a" * 64, 1.0),)
HALF: AdapterKey = (("a" * 64, 0.5),)


def prompt(*blocks: int, rest: int = 1) -> list[int]:
    """Return a prompt of whole blocks, each of one token again and again, and some tokens behind."""
    return [token for block in blocks for token in [block] * BLOCK] + [0] * rest


def logits(key: AdapterKey, tokens: list[int]) -> Logits:
    """Return what stands for the logits behind a prompt."""
    return np.array([hash((key, tuple(tokens))) % 2**20], np.float32)


def compute(start: Start, tokens: list[int], *, end: int | None = None) -> Slot:
    """Note what an engine computes of a prompt, up to a token where it is given up."""
    at, slot = start.tokens, start.slot
    for block in cut(tokens)[len(slot.blocks) :]:
        at += len(block)
        if at <= (len(tokens) if end is None else end):
            slot.blocks.append(block)
            slot.logits = logits(slot.key, tokens) if at == len(tokens) else None
    return slot


def ask(slots: Slots, tokens: list[int], key: AdapterKey = BARE) -> Start:
    start = slots.take(tokens, key)
    slots.release(compute(start, tokens))
    return start


def test_a_prompt_that_goes_on_begins_where_the_last_one_ended() -> None:
    slots = Slots(4)
    first = ask(slots, prompt(1, 2))

    assert ask(slots, prompt(1, 2, 3)) == Start(first.slot, first.slot, 2 * BLOCK)


def test_a_prompt_that_is_known_as_a_whole_brings_its_logits() -> None:
    slots = Slots(4)
    for rest in (0, 1, PART, PART + 3):
        tokens = prompt(1, 2, rest=rest)
        ask(slots, tokens)
        again = slots.take(tokens, BARE)
        assert again.tokens == len(tokens)
        assert again.slot.logits == logits(BARE, tokens)
        slots.release(again.slot)


def test_the_last_token_is_computed_where_its_logits_are_not_known() -> None:
    slots = Slots(4)
    ask(slots, prompt(1, 2, 3))

    start = slots.take(prompt(1, 2, rest=PART), BARE)
    assert (start.tokens, start.slot.logits) == (2 * BLOCK, None)
    slots.release(compute(start, prompt(1, 2, rest=PART), end=2 * BLOCK))
    given_up = slots.take(prompt(1, 2, rest=PART), BARE)
    assert (given_up.tokens, given_up.slot.logits) == (2 * BLOCK, None)


def test_a_prompt_that_goes_on_from_a_known_one_has_no_logits_of_its_end() -> None:
    slots = Slots(4)
    ask(slots, prompt(1, rest=PART))

    start = slots.take(prompt(1, rest=PART + 2), BARE)

    assert (start.tokens, start.slot.logits) == (BLOCK + PART, None)


def test_another_end_costs_little() -> None:
    slots = Slots(4)
    ask(slots, prompt(1, rest=3 * PART))

    assert ask(slots, [*prompt(1, rest=3 * PART), 5, 6]).tokens == BLOCK + 3 * PART


def test_far_behind_the_beginning_another_end_costs_less() -> None:
    slots = Slots(4)
    long = prompt(*range(FAR // BLOCK), rest=PART)
    ask(slots, [*long, 7, 7, 7, 7])

    assert ask(slots, [*long, 7, 7, 7, 7, 5]).tokens == len(long) + PART // 2


@given(st.one_of(st.integers(1, 5 * BLOCK), st.integers(FAR - BLOCK, FAR + 5 * BLOCK)))
@examples(100)
def test_I2_a_prompt_is_cut_into_whole_blocks_then_parts_then_a_rest_with_its_last_token(length: int) -> None:
    tokens = list(range(length))
    blocks = cut(tokens)
    sizes = [len(block) for block in blocks]
    assert [token for block in blocks for token in block] == tokens
    whole = (length - 1) // BLOCK
    parts = sizes[whole:-1]
    assert sizes[:whole] == [BLOCK] * whole
    if whole * BLOCK < FAR:
        assert 1 <= sizes[-1] <= PART
        assert parts == sorted({*parts} & {BLOCK // 2, BLOCK // 4, PART}, reverse=True)
    else:
        assert 1 <= sizes[-1] <= PART // 2
        assert parts == [PART // 2] * len(parts)
        assert len(parts) < BLOCK // (PART // 2)


def test_answers_that_go_on_together_are_side_by_side() -> None:
    for beside, expected in ((True, [0, 1, 2]), (False, [0, 2, 3])):
        slots = Slots(4, beside=beside)
        starts = [slots.take(prompt(number), BARE) for number in range(4)]
        for number, start in enumerate(starts):
            slots.release(compute(start, prompt(number)))
        assert ask(slots, [*prompt(1), 5]).slot.sequence == 1

        running = [slots.take(prompt(number), BARE).slot.sequence for number in (7, 8, 9)]

        assert running == expected


def test_another_adapter_or_scale_begins_anew() -> None:
    slots = Slots(4)
    for key in (BARE, ADAPTED, HALF):
        assert ask(slots, prompt(1, 2), key).tokens == 0
    for key in (BARE, ADAPTED, HALF):
        assert ask(slots, prompt(1, 2, 3), key).tokens == 2 * BLOCK


def test_a_running_answer_is_copied_from() -> None:
    slots = Slots(2)
    running = compute(slots.take(prompt(1, 2), BARE), prompt(1, 2))

    start = slots.take(prompt(1, 3), BARE)

    assert (start.source, start.tokens) == (running, BLOCK)
    assert start.slot is not running


def test_a_longer_conversation_is_not_cut_for_one_that_shares_its_beginning() -> None:
    slots = Slots(2)
    long = ask(slots, prompt(1, 2, 3)).slot
    ask(slots, prompt(1, 9))

    assert ask(slots, prompt(1, 2, 3, 4)) == Start(long, long, 3 * BLOCK)


def test_the_conversation_that_was_not_continued_for_longest_gives_way() -> None:
    slots = Slots(2)
    ask(slots, prompt(1))
    kept = ask(slots, prompt(2)).slot
    ask(slots, prompt(3))

    assert ask(slots, prompt(2, 5)).slot is kept
    assert ask(slots, prompt(1)).tokens == 0


def test_the_only_slot_is_taken_over_from_itself() -> None:
    slots = Slots(1)
    only = ask(slots, prompt(1, 2)).slot

    start = ask(slots, prompt(1, 7))
    assert (start.slot, start.source, start.tokens) == (only, only, BLOCK)


def test_what_is_displaced_is_given_up_unless_others_have_nearly_all_of_it() -> None:
    slots = Slots(2)
    first = prompt(1, 2)
    ask(slots, first)
    assert ask(slots, [*first, 5]).given_up is None  # goes on
    assert ask(slots, prompt(3)).given_up is None  # into an empty one
    displaced = ask(slots, prompt(4)).given_up
    assert displaced is not None
    assert displaced.tokens == len(first) + 1
    assert displaced.logits == logits(BARE, [*first, 5])
    one_long = prompt(*[6] * 9)
    ask(slots, [*one_long, *[7] * PART])
    ask(slots, [*one_long, *[8] * PART])
    assert ask(slots, prompt(9)).given_up is None
    assert ask(slots, prompt(5)).given_up is not None


def kept(tokens: list[int], key: AdapterKey = BARE, *, size: int = 1, used: int = 0) -> KeptPrompt:
    return KeptPrompt(key, cut(tokens), logits(key, tokens), used, state=np.zeros(size, np.uint8))


def test_what_left_its_slot_is_brought_back() -> None:
    slots = Slots(2)
    one = kept(prompt(1, 2))
    ask(slots, prompt(1))

    assert slots.take(prompt(1, 2, 3), BARE, [one]).source is one
    again = slots.take(prompt(1, 2), BARE, [kept(prompt(1, 2, 3)), one])
    assert again.source is one
    assert (again.tokens, again.slot.logits) == (2 * BLOCK + 1, one.logits)


def test_the_shortest_of_those_kept_that_have_as_much_is_brought_back() -> None:
    slots = Slots(2)
    long, short = kept(prompt(1, 2, 3, 4)), kept(prompt(1, 5))

    ask(slots, prompt(1, 6, 7))
    assert slots.take(prompt(1, 9), BARE, [long, short]).source is short
    assert slots.take(prompt(1, 9), ADAPTED, [long, short]).tokens == 0


def read_zeros(size: int) -> np.ndarray:
    return np.zeros(size, np.uint8)


@given(data=st.data())
@examples(100)
def test_kept_prompts_stay_within_their_budget_and_the_last_used_stay_longest(data: st.DataObject) -> None:
    budget = data.draw(st.integers(0, 100))
    store = KeptPrompts(budget)
    for used in range(data.draw(st.integers(1, 12))):
        tokens = prompt(*data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)), rest=1)
        key = data.draw(st.sampled_from([BARE, ADAPTED]))
        before, size = store.prompts, data.draw(st.integers(1, 60))
        entry = Computed(key, cut(tokens), logits(key, tokens), used)
        store.keep(entry, size, lambda size=size: read_zeros(size))  # type: ignore[misc]
        assert store.memory_bytes <= budget
        fits = size + entry.logits.nbytes <= budget if entry.logits is not None else False
        assert any(one.used == used for one in store.prompts) == fits
        gone = [one for one in before if one not in store.prompts and one.adds_to([entry])]
        left = [one for one in before if one in store.prompts]
        assert all(one.used < other.used for one in gone for other in left)


def test_a_prompt_for_which_there_is_no_memory_is_not_kept() -> None:
    store = KeptPrompts(100)
    store.keep(kept(prompt(1)), 10, lambda: None)

    assert store.memory_bytes == 0


@given(data=st.data())
@examples(200)
def test_I2_what_is_used_again_is_what_a_cold_run_computes_under_the_same_adapters(data: st.DataObject) -> None:
    slots = Slots(3, beside=data.draw(st.booleans()))
    store = KeptPrompts(data.draw(st.sampled_from([0, 5, 1000])))
    blocks = st.lists(st.integers(1, 3), max_size=4)
    held: dict[int, tuple[AdapterKey, list[Block]]] = {}
    busy: list[tuple[Start, list[int]]] = []
    for _ in range(data.draw(st.integers(1, 20))):
        if len(busy) < len(slots) and data.draw(st.booleans()):
            tokens = prompt(*data.draw(blocks), rest=data.draw(st.integers(0, 3))) or [0]
            key = data.draw(st.sampled_from([BARE, ADAPTED, HALF]))
            start = slots.take(tokens, key, store.prompts)
            assert start.slot not in [other.slot for other, _ in busy]
            reused = list(start.slot.blocks)
            assert reused == cut(tokens)[: len(reused)]
            assert start.tokens == sum(map(len, reused))
            whole = start.tokens == len(tokens)
            assert start.slot.logits == (logits(key, tokens) if whole else None)
            if start.given_up is not None:
                assert held[start.slot.sequence] == (start.given_up.key, start.given_up.blocks)
                store.keep(start.given_up, 2, lambda: read_zeros(2))
            if reused:
                source = start.source
                source_key, computed = (
                    held[source.sequence] if isinstance(source, Slot) else (source.key, source.blocks)
                )
                assert source_key == key
                assert computed[: len(reused)] == reused
            held[start.slot.sequence] = (key, reused)
            busy.append((start, tokens))
        elif busy and data.draw(st.booleans()):
            start, tokens = data.draw(st.sampled_from(busy))
            slot, before = start.slot, len(start.slot.blocks)
            again = slots.look_again(slot, tokens, store.prompts)
            assert slot.blocks == cut(tokens)[: len(slot.blocks)]
            assert len(slot.blocks) > before if again else len(slot.blocks) == before
            if again is not None:
                source = again.source
                source_key, computed = (
                    held[source.sequence] if isinstance(source, Slot) else (source.key, source.blocks)
                )
                assert source_key == slot.key
                assert computed[: len(slot.blocks)] == slot.blocks
                assert slot.logits == (logits(slot.key, tokens) if again.tokens == len(tokens) else None)
                held[slot.sequence] = (slot.key, list(slot.blocks))
        elif busy:
            start, tokens = busy.pop(data.draw(st.integers(0, len(busy) - 1)))
            # Cancelled anywhere: only so many blocks were computed.
            end = data.draw(st.integers(start.tokens, len(tokens)))
            compute(start, tokens, end=end)
            held[start.slot.sequence] = (start.slot.key, list(start.slot.blocks))
            slots.release(start.slot)
