"""What llama.cpp must know of a model beside its tensors."""

import math
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from peft_engine.models.convertible import ConvertibleFamily
from peft_engine.models.refusal import NotConvertible

_PLAIN_ROPE = ("default", "llama3", None)
_USUAL_THETA = 10_000.0


def write_hyperparameters(config: dict[str, Any], family: ConvertibleFamily, writer: Any) -> None:
    """Write the sizes and settings of `config.json`.

    Args:
        config: The model's, without that of a vision part.
        family: Its family.
        writer: A `gguf.GGUFWriter`.

    Raises:
        NotConvertible: The model computes positions or attention in a way that llama.cpp does not in this family.
    """
    heads = config["num_attention_heads"]
    size = head_size(config)
    writer.add_context_length(_context(config, family))
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    _write_rope(config, writer)
    if family.architecture in ("gemma2", "gemma3"):
        _write_gemma(config, writer)


def head_size(config: dict[str, Any]) -> int:
    """Return the numbers of one head of attention."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def rope(config: dict[str, Any]) -> dict[str, Any]:
    """Return how positions are written into queries and keys, in Transformers' old words and its new ones."""
    parameters = config.get("rope_parameters") or {
        **(config.get("rope_scaling") or {}),
        "rope_theta": config.get("rope_theta", _USUAL_THETA),
    }
    full = parameters.get("full_attention", parameters)
    return {**full, "rope_type": full.get("rope_type", full.get("type"))}


def rope_factors(config: dict[str, Any]) -> NDArray[np.float32] | None:
    """Return by how much Llama 3 slows each pair's rotation, None for other models.

    Long waves are slowed by `factor`, short ones not at all, and those between by a line between the two: "The Llama 3
    Herd of Models" (2024) as Transformers has it in `_compute_llama3_parameters`.
    """
    found = rope(config)
    if found["rope_type"] != "llama3":
        return None
    size, theta = head_size(config), found["rope_theta"]
    factor, low, high = found["factor"], found["low_freq_factor"], found["high_freq_factor"]
    original = found["original_max_position_embeddings"]
    factors = []
    for pair in range(0, size, 2):
        length = 2 * math.pi * theta ** (pair / size)
        smooth = min(max((original / length - low) / (high - low), 0), 1)
        factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def _context(config: dict[str, Any], family: ConvertibleFamily) -> int:
    """Return the longest sequence. llama.cpp has no window in these families: within one window there is none."""
    length = int(config["max_position_embeddings"])
    window = config.get("sliding_window")
    if window is None or family.architecture.startswith("gemma") or not config.get("use_sliding_window", True):
        return length
    return min(length, int(window))


def _write_rope(config: dict[str, Any], writer: Any) -> None:
    found = rope(config)
    writer.add_rope_freq_base(float(found["rope_theta"]))
    kind = found["rope_type"]
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(float(found["factor"]))
        if kind == "yarn":
            writer.add_rope_scaling_orig_ctx_len(found["original_max_position_embeddings"])
    elif kind not in _PLAIN_ROPE:
        raise NotConvertible(f"Its positions are scaled by {kind}, which is not known to come out right in GGUF.")


def _write_gemma(config: dict[str, Any], writer: Any) -> None:
    for key, write in (
        ("attn_logit_softcapping", writer.add_attn_logit_softcapping),
        ("final_logit_softcapping", writer.add_final_logit_softcapping),
        ("sliding_window", writer.add_sliding_window),
    ):
        if config.get(key) is not None:
            write(config[key])
