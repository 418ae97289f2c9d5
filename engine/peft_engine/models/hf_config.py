"""A model folder's config.json, as Transformers reads it."""

from pathlib import Path
from typing import Any

from peft_engine.models.damage import DamagedFile
from peft_engine.models.tokenizer_files import read_json

_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
"""What config.json calls the number of layers, depending on the family."""

_MOST_LAYERS = 2**12
"""The deepest models have a few hundred."""


def require_layers(folder: Path) -> None:
    """See that config.json describes no more layers than a model can have.

    Transformers makes lists and modules of that many as soon as it reads the config, for a tokenizer too.

    Args:
        folder: The model's folder.

    Raises:
        DamagedFile: It describes more, or no number.
    """
    config = read_json(folder / "config.json")
    for part in (config, *(part for part in config.values() if isinstance(part, dict))):
        for layers in (part[name] for name in _LAYERS if part.get(name) is not None):
            if not isinstance(layers, int) or layers > _MOST_LAYERS:
                raise DamagedFile(f"config.json describes {str(layers)[:40]} layers, which no model has")


def read_hf_config(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """Return the config without the attention that it may name: that may be code in a repository of the hub.

    Transformers would follow it, whatever attention it is told to take.

    Args:
        folder: The model's folder.
        trust_remote_code: Whether code that the folder brings along may run.

    Raises:
        OSError, ValueError, KeyError: It cannot be read.
    """
    # Here and not above: this package is looked into by processes that never load a model.
    from transformers import AutoConfig

    require_layers(folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    config._attn_implementation = "eager"
    return config
