"""Attention over several examples in one row, each seeing only itself.

A mask would cost the square of the whole row; a call an example costs the sum of their squares and needs no mask.
"""

from itertools import pairwise
from typing import Any

import torch
from transformers import AttentionInterface, PreTrainedConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.utils import is_flash_attn_2_available

from peft_schemas.config import Attention
from peft_schemas.errors import WorkbenchError

SEGMENTED = "peft_workbench_segmented"
"""The name under which transformers finds it. It has no mask function, so transformers builds no mask for it."""


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
    return SEGMENTED if device.type == "cpu" and not narrow else "sdpa"


def segmented_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    cu_seq_lens_q: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend causally within each segment.

    Args:
        module: The attention layer.
        query: [1, heads, tokens, head size].
        key: [1, key heads, tokens, head size].
        value: As `key`.
        attention_mask: None; see `SEGMENTED`.
        cu_seq_lens_q: [segments + 1], where segments start and the last ends. None for one segment.
        **kwargs: What transformers hands to every attention.

    Returns:
        [1, tokens, heads, head size], and no weights.
    """
    borders = [0, query.shape[2]] if cu_seq_lens_q is None else cu_seq_lens_q.tolist()
    outputs = [
        sdpa_attention_forward(
            module, query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], attention_mask, **kwargs
        )[0]
        for start, end in pairwise(borders)
    ]
    return torch.cat(outputs, dim=1), None


AttentionInterface.register(SEGMENTED, segmented_attention)
