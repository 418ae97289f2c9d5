"""Cutting a batch into parts that are computed one after the other, so that less is in memory at a time."""

from itertools import pairwise
from typing import Any


def split(batch: dict[str, Any], parts: int) -> list[dict[str, Any]]:
    """Cut a batch between its examples into parts of about as many tokens.

    The losses of the parts add up to that of the batch, and so do their gradients.

    Args:
        batch: As `batch.collate` makes it.
        parts: How many are wanted; no more than there are examples are made.

    Returns:
        The parts in the order of the examples, each as `batch.collate` would make it of these alone.
    """
    if parts == 1:
        return [batch]
    borders: list[int] = batch["cu_seq_lens_q"].tolist()
    edges = _edges(borders, min(parts, len(borders) - 1))
    return [_part(batch, borders, first, last) for first, last in pairwise(edges)]


def _edges(borders: list[int], parts: int) -> list[int]:
    """Return where the parts begin and end, counted in examples; none is empty."""
    examples, total = len(borders) - 1, borders[-1]
    edges = [0]
    for part in range(1, parts):
        left = range(edges[-1] + 1, examples - (parts - part) + 1)
        edges.append(min(left, key=lambda edge: abs(borders[edge] - total * part / parts)))
    return [*edges, examples]


def _part(batch: dict[str, Any], borders: list[int], first: int, last: int) -> dict[str, Any]:
    start, end = borders[first], borders[last]
    inside = (batch["predict"] >= start) & (batch["predict"] < end)
    ends = batch["cu_seq_lens_q"][first : last + 1] - start
    longest = max(after - before for before, after in pairwise(borders[first : last + 1]))
    return {
        "input_ids": batch["input_ids"][:, start:end],
        "position_ids": batch["position_ids"][:, start:end],
        "cu_seq_lens_q": ends,
        "cu_seq_lens_k": ends,
        "max_length_q": longest,
        "max_length_k": longest,
        "predict": batch["predict"][inside] - start,
        "targets": batch["targets"][inside],
    }
