"""Attention over several examples in one row, each seeing only itself.

A mask would cost the square of the whole row; examples side by side cost the sum of their squares and need no mask.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, PreTrainedConfig
from transformers.utils import is_flash_attn_2_available

from peft_engine.training.data.tokens import boundaries
from peft_engine.training.fused.autocast import product_type
from peft_schemas.config import Attention
from peft_schemas.errors import WorkbenchError

SEGMENTED = "peft_workbench_segmented"
"""The name under which transformers finds it. It has no mask function, so transformers builds no mask for it."""

_ALIKE = 0.75
"""The share of a group's longest segment that its others have at least; at worst two fifths are computed in vain."""


def choose_attention(asked: Attention, config: PreTrainedConfig, device: torch.device, max_length: int) -> str:
    """Return the attention to load a model with: the one that is asked for, or the best for the device.

    That is ours on a CPU, else torch's own behind transformers' block mask. A model with a sliding window narrower than
    the examples needs the mask that transformers builds for it.

    Args:
        asked: `model.attention`.
        config: Of the base model.
        device: Where to train.
        max_length: The longest example in tokens.

    Raises:
        WorkbenchError: FlashAttention is asked for, and this machine cannot (`not-supported`).
    """
    if asked == "flash_attention_2" and not (device.type == "cuda" and is_flash_attn_2_available()):
        raise WorkbenchError(
            "not-supported",
            "`model.attention: flash_attention_2` needs a CUDA device and the flash-attn package.",
            "Set `model.attention: auto`, or install flash-attn for your device.",
        )
    if asked != "auto":
        return asked
    window = getattr(config, "sliding_window", None)
    narrow = window is not None and window < max_length
    # Ours is computed twice, which chance must not make two different things.
    random = bool(getattr(config, "attention_dropout", 0.0))
    return SEGMENTED if device.type == "cpu" and not narrow and not random else "sdpa"


@dataclass(frozen=True)
class Group:
    """Segments of similar length, laid beside each other and filled up at their ends to the longest.

    Under a causal mask no token sees the filling behind it.
    """

    count: int
    """How many segments."""

    laid: Tensor
    """[segments x longest], for each place the token that stands there; a filling repeats its segment's last token."""

    real: Tensor
    """[tokens of the segments], the places that are no filling."""

    filling: Tensor
    """[segments x longest - tokens], the other places."""

    tokens: Tensor
    """[tokens of the segments], those that stand at the real places."""


@lru_cache(maxsize=4)
def group_by_length(lengths: tuple[int, ...]) -> tuple[Group, ...]:
    """Group segments so that few calls compute them and little is computed in vain.

    Args:
        lengths: Of all segments, in the order in which they stand in the row.
    """
    starts = boundaries(lengths)
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if groups and lengths[index] >= _ALIKE * lengths[groups[-1][0]]:
            groups[-1].append(index)
        else:
            groups.append([index])
    return tuple(
        _lay([starts[index] for index in group], [lengths[index] for index in group], lengths[group[0]])
        for group in groups
    )


def _lay(starts: list[int], lengths: list[int], longest: int) -> Group:
    place, length = torch.arange(longest), torch.tensor(lengths).unsqueeze(1)
    laid = (torch.tensor(starts).unsqueeze(1) + torch.minimum(place, length - 1)).flatten()
    stands = (place < length).flatten()
    real, filling = (which.nonzero().squeeze(1) for which in (stands, ~stands))
    return Group(len(starts), laid, real, filling, laid[real])


class SegmentedAttention(torch.autograd.Function):
    """Causal attention in float32 within segments, of queries and keys that may still have to be turned.

    They are turned in the same pass (Su et al., 2021), so that nothing lies around between the projections and the
    result; the backward pass does it again. In bfloat16 it was measured ten times slower than in float32.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        turn: tuple[Tensor, Tensor] | None,
        groups: tuple[Group, ...],
        scale: float,
    ) -> Tensor:
        """Attend.

        Args:
            ctx: Autograd's.
            query: [tokens, heads, head size].
            key: [tokens, key heads, head size].
            value: As `key`.
            turn: Cosine and sine of each token's angles, [tokens, head size]; None where queries and keys are turned.
            groups: Which tokens are computed together.
            scale: What the products of queries and keys are multiplied by.

        Returns:
            [tokens, heads, head size] of the query's type.
        """
        out = query.new_empty(query.shape)
        sums = []
        for group in groups:
            part, summed = _attend(*_operands(query, key, value, turn, group), 0.0, True, scale=scale)
            _put(out, part, group)
            sums.append(summed)
        ctx.save_for_backward(query, key, value, out, *sums)
        ctx.turn, ctx.groups, ctx.scale = turn, groups, scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of query, key and value."""
        query, key, value, out, *sums = ctx.saved_tensors
        found = [given.new_empty(given.shape) for given in (query, key, value)]
        for group, summed in zip(ctx.groups, sums, strict=True):
            operands = _operands(query, key, value, ctx.turn, group)
            # What fills a segment up weighs nothing.
            weighed = gradients[0].index_select(0, group.laid).float().index_fill_(0, group.filling, 0.0)
            parts = _attend_backward(
                _heads(weighed, group), *operands, _laid(out, group), summed, 0.0, True, scale=ctx.scale
            )
            for whole, part, turns in zip(found, parts, (True, True, False), strict=True):
                _put(whole, _turned_back(part, ctx.turn, group) if turns else part, group)
        return *found, None, None, None


_attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_attend_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
"""torch's own attention. Called by name, its result need not be made again to find the gradients."""


def _operands(
    query: Tensor, key: Tensor, value: Tensor, turn: tuple[Tensor, Tensor] | None, group: Group
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a group's queries, keys and values, turned, [segments, heads, longest, head size] in float32."""
    return _turned(query, turn, group), _turned(key, turn, group), _laid(value, group)


def _laid(part: Tensor, group: Group) -> Tensor:
    return _heads(part.index_select(0, group.laid).float(), group)


def _heads(rows: Tensor, group: Group) -> Tensor:
    """Return [segments, heads, longest, head size] of [segments x longest, heads, head size]."""
    return rows.view(group.count, -1, *rows.shape[1:]).transpose(1, 2)


def _turned(part: Tensor, turn: tuple[Tensor, Tensor] | None, group: Group) -> Tensor:
    """Turn each pair (x, y), whose halves lie half a head apart: (x cos - y sin, y cos + x sin)."""
    if turn is None:
        return _laid(part, group)
    cos, sin = _angles(turn, group)
    # Widened first: products of mixed types take half as long again.
    rows, half = part.index_select(0, group.laid).float(), part.shape[-1] // 2
    out = rows * cos
    out[..., :half].addcmul_(rows[..., half:], sin[..., :half], value=-1)
    out[..., half:].addcmul_(rows[..., :half], sin[..., half:])
    return _heads(out, group)


def _turned_back(part: Tensor, turn: tuple[Tensor, Tensor] | None, group: Group) -> Tensor:
    """Return the gradients before the turning of those after it, [segments, heads, longest, head size]."""
    if turn is None:
        return part
    cos, sin = (_heads(angle, group) for angle in _angles(turn, group))
    half = part.shape[-1] // 2
    out = part * cos
    out[..., :half].addcmul_(part[..., half:], sin[..., half:])
    out[..., half:].addcmul_(part[..., :half], sin[..., :half], value=-1)
    return out


def _angles(turn: tuple[Tensor, Tensor], group: Group) -> tuple[Tensor, Tensor]:
    """Return cosine and sine at each place, [segments x longest, 1, head size] in float32."""
    cos, sin = (angle.index_select(0, group.laid).float().unsqueeze(1) for angle in turn)
    return cos, sin


def _put(whole: Tensor, part: Tensor, group: Group) -> None:
    """Write a group's results, [segments, heads, longest, head size], to where its tokens stand in the row."""
    rows = part.transpose(1, 2).flatten(0, 1)
    whole.index_copy_(0, group.tokens, rows.index_select(0, group.real).to(whole.dtype))


def attend_within(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: Tensor | None,
    *,
    scale: float,
    turn: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Attend causally within each segment of one row, in float32.

    Args:
        query: [tokens, heads, head size].
        key: [tokens, key heads, head size].
        value: As `key`.
        lengths: [segments + 1], where segments start and the last ends; None for one segment.
        scale: What the products of queries and keys are multiplied by.
        turn: Cosine and sine of each token's angles, [tokens, head size]; None where queries and keys are turned.

    Returns:
        [tokens, heads, head size], of the type of a matrix product.
    """
    dtype = product_type(query)
    groups = group_by_length((query.shape[0],) if lengths is None else tuple(lengths.diff().tolist()))
    with torch.autocast(query.device.type, enabled=False):
        query, key, value = (part.to(dtype) for part in (query, key, value))
        out: Tensor = SegmentedAttention.apply(query, key, value, turn, groups, scale)  # type: ignore[no-untyped-call]
    return out


def segmented_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend, for a model whose attention layer is not known to `fusing`.

    Args:
        module: The attention layer.
        query: [1, heads, tokens, head size].
        key: [1, key heads, tokens, head size].
        value: As `key`.
        attention_mask: None; see `SEGMENTED`.
        scaling: What the products of queries and keys are multiplied by; None for 1 / sqrt(head size).
        cu_seq_lens_q: [segments + 1], where segments start and the last ends. None for one segment.
        **_: What else transformers hands to every attention.

    Returns:
        [1, tokens, heads, head size] of the type of a matrix product, and no weights.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))
    return attend_within(query, key, value, cu_seq_lens_q, scale=scale).unsqueeze(0), None


AttentionInterface.register(SEGMENTED, segmented_attention)
