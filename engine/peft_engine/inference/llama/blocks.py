"""How a prompt is cut into the batches that it is computed in.

Where a batch begins and ends can change the rounding of its results, so a prompt is always cut alike, whatever of it
was computed before; and what was computed is used again in whole blocks.
"""

from collections.abc import Sequence
from itertools import pairwise

BLOCK = 64
"""Tokens of a block. The least for which llama.cpp's flash attention computes several rows at once, which takes half as
long after a thousand tokens. Running answers and a cancel wait for one of them."""

PART = 8
"""Tokens of a block behind the last whole one, so that little is computed again when a prompt comes with another end.
A token takes as long in one of them as in a larger one, but for attention."""

FAR = 1024
"""Tokens behind which parts are half as large. Attention takes most of the time there, row by row, so two batches of 4
take an eighth longer than one of 8 (behind 1,472 tokens 140 ms, not 125), half a percent of reading such a prompt; and
one that comes with another end computes some 4 tokens less of the 8 and more that it would."""

Block = tuple[int, ...]


def cut(prompt: Sequence[int]) -> list[Block]:
    """Return the blocks of a prompt: whole ones, then parts, then what is left, which has at least the last token."""
    before_last = len(prompt) - 1
    whole = before_last // BLOCK * BLOCK
    part = PART if whole < FAR else PART // 2
    parts = whole + (before_last - whole) // part * part
    edges = [*range(0, whole, BLOCK), *range(whole, parts, part), parts, len(prompt)]
    return [tuple(prompt[start:end]) for start, end in pairwise(edges)]
