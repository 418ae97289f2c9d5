"""llama.cpp's names of a family's tensors."""

from typing import Any

import gguf

from peft_engine.models.convertible import ConvertibleFamily


def tensor_names(family: ConvertibleFamily, config: dict[str, Any]) -> Any:
    """Return the `gguf.TensorNameMap` of a model of a family.

    Args:
        family: Of the model.
        config: Its `config.json`, for the number of layers.
    """
    names = gguf.MODEL_ARCH_NAMES
    architecture = next(number for number, name in names.items() if name == family.architecture)
    return gguf.get_tensor_name_map(architecture, config["num_hidden_layers"])
