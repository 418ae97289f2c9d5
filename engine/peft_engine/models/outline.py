"""The shapes of a model's weights from its config.json alone: how large it is on paper, before a weight is there."""

from collections.abc import Mapping
from typing import Any

from peft_engine.models.architectures import Family

Shapes = dict[str, tuple[int, int]]


def outline(family: Family, config: Mapping[str, Any]) -> Shapes | None:
    """Return rows and columns of each weight matrix, by its module's name; None when the config does not tell.

    A decoder of this kind has in each layer four matrices of attention, whose keys and values may have fewer heads
    (Ainslie and others, 2023, "GQA"), and three of a gated MLP (Shazeer, 2020, "GLU Variants").

    Args:
        family: Names the modules.
        config: Of a model of the family.
    """
    kind = config.get("model_type")
    hidden, wide, layers, heads, vocabulary = (
        _count(config, key)
        for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    )
    if kind not in family.outlined or not (hidden and wide and layers and heads and vocabulary):
        return None
    key_heads = _count(config, "num_key_value_heads") or heads
    size = _count(config, "head_dim") or family.outlined[str(kind)] or hidden // heads
    of_layer = {
        "self_attn.q_proj": (heads * size, hidden),
        "self_attn.k_proj": (key_heads * size, hidden),
        "self_attn.v_proj": (key_heads * size, hidden),
        "self_attn.o_proj": (hidden, heads * size),
        "mlp.gate_proj": (wide, hidden),
        "mlp.up_proj": (wide, hidden),
        "mlp.down_proj": (hidden, wide),
    }
    table = {f"{family.prefix}.{family.embeddings[0]}": (vocabulary, hidden), family.head: (vocabulary, hidden)}
    return table | {
        f"{family.prefix}.layers.{layer}.{name}": shape for layer in range(layers) for name, shape in of_layer.items()
    }


def _count(config: Mapping[str, Any], key: str) -> int | None:
    value = config.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
