"""Attention over several examples in one row, each seeing only itself.

A mask would cost the square of the whole row; examples side by side cost the sum of their squares and need no mask.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from transformers import AttentionInterface, PreTrainedConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.utils import is_flash_attn_2_available

from peft_engine.training.autocast import product_type
from peft_engine.training.tokens import boundaries
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

    laid: torch.Tensor
    """[segments x longest], for each place the token that stands there; a filling repeats its segment's last token."""

    real: torch.Tensor
    """[tokens of the segments], the places that are no filling."""


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
    laid = torch.tensor(starts).unsqueeze(1) + torch.minimum(place, length - 1)
    return Group(len(starts), laid.flatten(), (place < length).flatten().nonzero().squeeze(1))


class SegmentedAttention(torch.autograd.Function):
    """Attention in float32 within segments. It is computed again in the backward pass.

    That costs less than keeping the copies that the shared keys and values and the wider type take; and the backward
    pass of bfloat16 was measured ten times slower than that of float32.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        groups: tuple[Group, ...],
        attend: Callable[..., torch.Tensor],
    ) -> torch.Tensor:
        """Attend.

        Args:
            ctx: Autograd's.
            query: [1, heads, tokens, head size].
            key: [1, key heads, tokens, head size].
            value: As `key`.
            groups: Which tokens are computed together.
            attend: Takes query, key and value of [segments, heads, tokens, head size] and returns the causal attention
                of [segments, tokens, heads, head size].

        Returns:
            [1, tokens, heads, head size] of the query's type.
        """
        ctx.save_for_backward(query, key, value)
        ctx.groups, ctx.attend = groups, attend
        out = query.new_empty(query.shape).transpose(1, 2).contiguous()
        for group in groups:
            part = attend(*(_laid(given, group) for given in (query, key, value)))
            out[0, group.laid[group.real]] = part.flatten(0, 1)[group.real].to(out.dtype)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of query, key and value."""
        given = ctx.saved_tensors
        incoming = gradients[0].transpose(1, 2)
        found = [torch.empty_like(part) for part in given]
        for group in ctx.groups:
            laid = [_laid(part, group).requires_grad_() for part in given]
            with torch.enable_grad():
                out = ctx.attend(*laid)
            weighed = torch.zeros_like(out).flatten(0, 1)
            weighed[group.real] = incoming[0, :, group.laid[group.real]].transpose(0, 1).to(out.dtype)
            for whole, part in zip(found, torch.autograd.grad(out, laid, weighed.view_as(out)), strict=True):
                whole[0, :, group.laid[group.real]] = (
                    part.transpose(1, 2).flatten(0, 1)[group.real].transpose(0, 1).to(whole.dtype)
                )
        return *found, None, None


def _laid(part: torch.Tensor, group: Group) -> torch.Tensor:
    """Return [segments, heads, tokens, head size] in float32 from [1, heads, tokens, head size]."""
    rows = part[0].transpose(0, 1).index_select(0, group.laid).float()
    return rows.view(group.count, -1, *rows.shape[1:]).transpose(1, 2)


def segmented_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    cu_seq_lens_q: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend causally within each segment, in float32.

    Args:
        module: The attention layer.
        query: [1, heads, tokens, head size].
        key: [1, key heads, tokens, head size].
        value: As `key`.
        attention_mask: None; see `SEGMENTED`.
        cu_seq_lens_q: [segments + 1], where segments start and the last ends. None for one segment.
        **kwargs: What transformers hands to every attention.

    Returns:
        [1, tokens, heads, head size] of the query's type, and no weights.
    """
    lengths = (query.shape[2],) if cu_seq_lens_q is None else tuple(cu_seq_lens_q.diff().tolist())

    def attend(*laid: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = sdpa_attention_forward(module, *laid, attention_mask, **kwargs)[0]
        return out

    dtype = product_type(query)
    with torch.autocast(query.device.type, enabled=False):
        query, key, value = (part.to(dtype) for part in (query, key, value))
        out: torch.Tensor = SegmentedAttention.apply(query, key, value, group_by_length(lengths), attend)  # type: ignore[no-untyped-call]
    return out, None


AttentionInterface.register(SEGMENTED, segmented_attention)
