"""The order of the rows that queries and keys rotate: Transformers halves each head, llama.cpp pairs neighbours."""

from typing import Any, TypeVar

Rows = TypeVar("Rows", bound=Any)


def paired(module: str, rows: Rows, config: dict[str, Any]) -> Rows:
    """Reorder the rows of a weight, or of what is added to it, from halves to pairs; other modules stay as they are.

    Args:
        module: The module's name, such as `model.layers.0.self_attn.q_proj`.
        rows: An array or tensor whose first side is the module's outputs.
        config: The model's `config.json`.
    """
    heads = {
        "q_proj": config["num_attention_heads"],
        "k_proj": config.get("num_key_value_heads") or config["num_attention_heads"],
    }.get(module.rpartition(".")[2])
    if heads is None:
        return rows
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)  # type: ignore[no-any-return]
