"""The tokenizer of a run, with the chat template that the config names."""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from peft_engine.training.model import unreadable
from peft_schemas.config import ModelConfig
from peft_schemas.errors import WorkbenchError


def load_tokenizer(base: Path, model: ModelConfig, folder: Path) -> Any:
    """Load the tokenizer of a base model.

    Args:
        base: The base's folder.
        model: The config's section.
        folder: What the path of a chat template is relative to: the folder of the config file.

    Raises:
        WorkbenchError: It cannot be read (`model-unreadable`), or its template cannot (`config-invalid`).
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=model.trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise unreadable(base, "tokenizer", model) from error
    if model.chat_template is not None:
        tokenizer.chat_template = _read_template(folder / Path(model.chat_template).expanduser())
    return tokenizer


def _read_template(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkbenchError(
            "config-invalid",
            f"The chat template {path} cannot be read.",
            "Correct `model.chat_template`; it is relative to the folder of the config file.",
        ) from error
