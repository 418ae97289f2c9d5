"""Attention over several sequences at once, each with K/V of its own.

Tokens of all sequences stand in one row, so that every layer but this one sees a single long text: weights are read
once a pass. Attention alone must keep the sequences apart, and does so span by span. An answer therefore does not
depend on its neighbours: of a matrix product whose shape is fixed each row is computed alike whatever the others hold.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from peft_engine.inference.transformers.memory import KeyValues

NAME = "peftw_spans"
"""Of this attention in transformers' registry. No mask is registered under it, so transformers makes none."""


@dataclass(frozen=True)
class Span:
    """Neighbouring tokens of one sequence."""

    memory: KeyValues | None
    """Where its K/V are; None for tokens that only fill the pass up to its fixed width."""

    count: int


_spans: ContextVar[Sequence[Span]] = ContextVar("spans")


@contextmanager
def attending(spans: Sequence[Span]) -> Iterator[None]:
    """Say to whom the tokens of a pass belong, and count them as stored when it has succeeded."""
    token = _spans.set(spans)
    try:
        yield
    finally:
        _spans.reset(token)
    for span in spans:
        if span.memory is not None:
            span.memory.length += span.count


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers asks for it: query [1, heads, tokens, size] to output [1, tokens, heads, size]."""
    if attention_mask is not None or softcap is not None or s_aux is not None:
        raise NotImplementedError("an attention with its own mask, soft cap or sinks")
    output = query.new_zeros(1, query.shape[2], query.shape[1], value.shape[3])
    start = 0
    for span in _spans.get():
        end = start + span.count
        if span.memory is not None:
            layer: Any = module.layer_idx
            keys, values = span.memory.extend(layer, key[:, :, start:end], value[:, :, start:end])
            part = _attend_span(query[:, :, start:end], keys, values, scaling, sliding_window)
            output[:, start:end] = part.transpose(1, 2)
        start = end
    return output, None


def _attend_span(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float | None, window: int | None
) -> torch.Tensor:
    """Attend from the last tokens of one sequence to all of it, or to the window before each."""
    count, total = query.shape[2], keys.shape[2]
    if count == 1:
        if window is not None:
            keys, values = keys[:, :, -window:], values[:, :, -window:]
        # Heads that share keys are like tokens that see the same: nothing has to be repeated for them.
        shared = query.reshape(1, keys.shape[1], -1, query.shape[3])
        return scaled_dot_product_attention(shared, keys, values, scale=scaling).reshape(1, -1, 1, values.shape[3])
    queries = torch.arange(total - count, total).unsqueeze(1)
    positions = torch.arange(total).unsqueeze(0)
    visible = positions <= queries
    if window is not None:
        visible &= positions > queries - window
    return scaled_dot_product_attention(
        query, keys, values, attn_mask=visible, scale=scaling, enable_gqa=query.shape[1] != keys.shape[1]
    )


AttentionInterface.register(NAME, _attend)
