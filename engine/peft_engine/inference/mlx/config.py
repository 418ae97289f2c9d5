"""A folder's config.json in the words that mlx-lm reads. The file stays as it is."""

from pathlib import Path
from typing import Any

from peft_engine.models.formats.data import formats_data
from peft_engine.models.formats.mlx import mlx_packing
from peft_engine.models.hf_config import read_hf_config
from peft_engine.models.tokenizer_files import read_json
from peft_schemas.errors import WorkbenchError


def read_mlx_config(folder: Path) -> dict[str, Any]:
    """Return the config with all that it leaves out, as mlx-lm reads it.

    Transformers 5 writes down what differs from its own defaults and keeps the rotation's numbers under
    `rope_parameters`. mlx-lm has other defaults and looks for `rope_theta` and `rope_scaling`: from the same file it
    computes something else, and says nothing.

    Raises:
        OSError, ValueError, KeyError: It cannot be read.
        WorkbenchError: It is of a family whose answers were not compared with PyTorch's (`not-supported`).
    """
    config: dict[str, Any] = read_hf_config(folder).to_dict()
    family, known = config["model_type"], formats_data().mlx_families
    if family not in known:
        raise WorkbenchError(
            "not-supported",
            f"{folder.name} cannot be served by MLX here: its family, {family}, is not one of {', '.join(known)}.",
            "Take the same model as GGUF or safetensors.",
        )
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope["rope_theta"]
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    # Within its window a layer sees all there is, and no more than the window is promised: `trained_context`.
    config["layer_types"] = ["full_attention"] * config["num_hidden_layers"]
    config["quantization"] = mlx_packing(read_json(folder / "config.json"))
    return config


def trained_context(config: dict[str, Any]) -> int:
    """Return how many tokens a model was made for, and no more than a window that it has."""
    longest = int(config["max_position_embeddings"])
    return min(longest, int(config.get("sliding_window") or longest))


def ends_of(folder: Path, config: dict[str, Any]) -> tuple[int, ...]:
    """Return the tokens that end an answer."""
    ends = read_json(folder / "generation_config.json").get("eos_token_id", config.get("eos_token_id"))
    return tuple(ends) if isinstance(ends, list) else (() if ends is None else (ends,))
