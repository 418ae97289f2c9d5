"""A model folder's config.json, as Transformers reads it."""

from pathlib import Path
from typing import Any


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

    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    config._attn_implementation = "eager"
    return config
