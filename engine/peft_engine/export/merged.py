"""An adapter merged into its base: a model folder that needs no PEFT."""

from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import AutoModelForCausalLM

from peft_engine.export.by_tensor import by_tensor
from peft_engine.models.hf_config import read_hf_config


def write_merged(adapter: Path, base: Path, tokenizer: Any, target: Path, *, trust_remote_code: bool) -> None:
    """Merge an adapter into its base and write the model with its tokenizer.

    The base is taken as it is stored: the one that was trained on may be packed, and merging into that would lose what
    packing lost. It is merged tensor by tensor where that is possible, else as a whole in memory.

    Args:
        adapter: A PEFT adapter folder.
        base: The base model's folder.
        tokenizer: The run's tokenizer.
        target: The folder to write; it must not be seen by others until this returns.
        trust_remote_code: Whether code that the base brings along may run.

    Raises:
        OSError: The disk is full.
    """
    target.mkdir(parents=True, exist_ok=True)
    if (merge := by_tensor(adapter, base)) is not None:
        merge.write(target)
    else:
        model = AutoModelForCausalLM.from_pretrained(
            base,
            config=read_hf_config(base, trust_remote_code=trust_remote_code),
            dtype="auto",
            trust_remote_code=trust_remote_code,
        )
        PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(target)
    tokenizer.save_pretrained(target)
