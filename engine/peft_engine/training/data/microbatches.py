"""Cutting a batch between its examples: into parts that are computed one after the other, or into two at a time."""

import heapq
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

from peft_engine.training.data.tokens import boundaries


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
    return [_part(batch, borders, range(first, last)) for first, last in pairwise(edges)]


def halve(batch: dict[str, Any], target_cost: float) -> list[dict[str, Any]]:
    """Cut a batch into two parts that take about as long, whichever examples are in them.

    Args:
        batch: As `batch.collate` makes it.
        target_cost: What a trained token takes more than another, as a multiple of what that takes.

    Returns:
        Two parts, each as `batch.collate` would make it of its examples alone; the batch where it has but one example.
    """
    borders: list[int] = batch["cu_seq_lens_q"].tolist()
    if len(borders) - 1 == 1:
        return [batch]
    trained = torch.bincount(
        torch.bucketize(batch["predict"], batch["cu_seq_lens_q"][1:], right=True), minlength=len(borders) - 1
    )
    costs = [
        end - start + target_cost * targets
        for (start, end), targets in zip(pairwise(borders), trained.tolist(), strict=True)
    ]
    return [_part(batch, borders, sorted(chosen)) for chosen in _alike(costs)]


def _alike(costs: Sequence[float]) -> tuple[list[int], list[int]]:
    """Divide numbers into two sets of nearly the same sum, by differencing (Karmarkar and Karp, 1982)."""
    # The two largest differences are put against each other until one is left.
    heap: list[tuple[float, list[int], list[int]]] = [(-cost, [index], []) for index, cost in enumerate(costs)]
    heapq.heapify(heap)
    while len(heap) > 1:
        larger, more, less = heapq.heappop(heap)
        smaller, other_more, other_less = heapq.heappop(heap)
        heapq.heappush(heap, (larger - smaller, more + other_less, less + other_more))
    ((_, more, less),) = heap
    return more, less


def _edges(borders: list[int], parts: int) -> list[int]:
    """Return where the parts begin and end, counted in examples; none is empty."""
    examples, total = len(borders) - 1, borders[-1]
    edges = [0]
    for part in range(1, parts):
        left = range(edges[-1] + 1, examples - (parts - part) + 1)
        edges.append(min(left, key=lambda edge: abs(borders[edge] - total * part / parts)))
    return [*edges, examples]


def _part(batch: dict[str, Any], borders: list[int], chosen: Sequence[int]) -> dict[str, Any]:
    spans = [(borders[example], borders[example + 1]) for example in chosen]
    ids = batch["input_ids"]
    places = torch.cat([torch.arange(start, end, device=ids.device) for start, end in spans])
    stands = torch.full((borders[-1],), -1, device=ids.device)
    stands[places] = torch.arange(len(places), device=ids.device)
    predict = stands[batch["predict"]]
    inside = predict >= 0
    lengths = [end - start for start, end in spans]
    ends = torch.tensor(boundaries(lengths), dtype=torch.int32, device=ids.device)
    return {
        "input_ids": ids[:, places],
        "position_ids": batch["position_ids"][:, places],
        "cu_seq_lens_q": ends,
        "cu_seq_lens_k": ends,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
        "predict": predict[inside],
        "targets": batch["targets"][inside],
    }
