"""Where a prompt begins with least to compute, and what K/V may never serve."""

from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.blocks import BLOCK, PART, Block, cut
from peft_engine.inference.llama.slots import Slot, Slots, Start
from tests.property.strategies import examples

BARE: AdapterKey = ()
ADAPTED: AdapterKey = (("a" * 64, 1.0),)
HALF: AdapterKey = (("a" * 64, 0.5),)


def prompt(*blocks: int, rest: int = 1) -> list[int]:
    """Return a prompt of whole blocks, each of one token again and again, and some tokens behind."""
    return [token for block in blocks for token in [block] * BLOCK] + [0] * rest


def compute(start: Start, tokens: list[int], *, end: int | None = None) -> Slot:
    """Note what an engine computes of a prompt, up to a token where it is given up."""
    at = start.tokens
    for block in cut(tokens)[len(start.slot.blocks) :]:
        at += len(block)
        if len(block) in (BLOCK, PART) and at <= (len(tokens) if end is None else end):
            start.slot.blocks.append(block)
    return start.slot


def ask(slots: Slots, tokens: list[int], key: AdapterKey = BARE) -> Start:
    start = slots.take(tokens, key)
    slots.release(compute(start, tokens))
    return start


def test_a_prompt_that_goes_on_begins_where_the_last_one_ended() -> None:
    slots = Slots(4)
    first = ask(slots, prompt(1, 2))

    assert ask(slots, prompt(1, 2, 3)) == Start(first.slot, first.slot, 2 * BLOCK)


def test_the_last_token_is_always_computed() -> None:
    slots = Slots(4)
    ask(slots, prompt(1, 2, rest=0))

    assert ask(slots, prompt(1, 2, rest=0)).tokens == 2 * BLOCK - PART


def test_another_end_costs_little() -> None:
    slots = Slots(4)
    ask(slots, prompt(1, rest=3 * PART))

    assert ask(slots, [*prompt(1, rest=3 * PART), 5, 6]).tokens == BLOCK + 3 * PART


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5 * BLOCK))
@examples(100)
def test_I2_a_prompt_is_cut_into_whole_blocks_then_parts_then_a_rest_with_its_last_token(tokens: list[int]) -> None:
    blocks = cut(tokens)
    sizes = [len(block) for block in blocks]
    assert [token for block in blocks for token in block] == tokens
    assert 1 <= sizes[-1] <= PART
    assert sizes[:-1] == sorted(sizes[:-1], reverse=True)
    assert set(sizes[:-1]) <= {BLOCK, PART}
    assert sizes[:-1].count(PART) < BLOCK // PART


def test_another_adapter_or_scale_begins_anew() -> None:
    slots = Slots(4)
    for key in (BARE, ADAPTED, HALF):
        assert ask(slots, prompt(1, 2), key).tokens == 0
    for key in (BARE, ADAPTED, HALF):
        assert ask(slots, prompt(1, 2), key).tokens == 2 * BLOCK


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

    assert ask(slots, prompt(1, 7)) == Start(only, only, BLOCK)


@given(data=st.data())
@examples(200)
def test_I2_what_is_used_again_is_what_a_cold_run_computes_under_the_same_adapters(data: st.DataObject) -> None:
    slots = Slots(3)
    blocks = st.lists(st.integers(1, 3), max_size=4)
    held: dict[int, tuple[AdapterKey, list[Block]]] = {}
    busy: list[tuple[Start, list[int]]] = []
    for _ in range(data.draw(st.integers(1, 20))):
        if len(busy) < len(slots) and data.draw(st.booleans()):
            tokens = prompt(*data.draw(blocks), rest=data.draw(st.integers(0, 3))) or [0]
            key = data.draw(st.sampled_from([BARE, ADAPTED, HALF]))
            start = slots.take(tokens, key)
            assert start.slot not in [other.slot for other, _ in busy]
            assert start.tokens < len(tokens)
            reused = list(start.slot.blocks)
            assert reused == cut(tokens)[: len(reused)]
            assert start.tokens == sum(map(len, reused))
            if reused:
                source_key, computed = held[start.source.sequence]
                assert source_key == key
                assert computed[: len(reused)] == reused
            held[start.slot.sequence] = (key, reused)
            busy.append((start, tokens))
        elif busy:
            start, tokens = busy.pop(data.draw(st.integers(0, len(busy) - 1)))
            # Cancelled anywhere: only so many blocks were computed.
            end = data.draw(st.integers(start.tokens, len(tokens)))
            compute(start, tokens, end=end)
            held[start.slot.sequence] = (start.slot.key, list(start.slot.blocks))
            slots.release(start.slot)
