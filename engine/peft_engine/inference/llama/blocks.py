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
"""Tokens of the smallest block behind the last whole one, so that little is computed again when a prompt comes with
another end. Up to there blocks halve, each size at most once: a batch costs some 10 ms beside its rows, so 53 tokens in
32, 16 and 5 take a tenth less than in six times 8 and 5. A prompt that goes on by a few tokens begins a larger block
now and then, and computes what that one holds again."""

FAR = 1024
"""Tokens behind which parts are all of half that size. Attention takes most of the time there, row by row, so cutting
a prompt's end small costs half a percent of reading it; and one that comes with another end computes least."""

Block = tuple[int, ...]


def cut(prompt: Sequence[int]) -> list[Block]:
    """Return the blocks of a prompt: whole ones, then parts, then what is left, which has at least the last token."""
    before_last = len(prompt) - 1
    whole = before_last // BLOCK * BLOCK
    edges = list(range(0, whole + 1, BLOCK))
    if whole < FAR:
        size = BLOCK // 2
        while size >= PART:
            if edges[-1] + size <= before_last:
                edges.append(edges[-1] + size)
            size //= 2
    else:
        edges += range(whole + PART // 2, before_last + 1, PART // 2)
    return [tuple(prompt[start:end]) for start, end in pairwise([*edges, len(prompt)])]
