"""What TRL has in other words than a key for a key."""

from pathlib import PurePosixPath
from typing import Any

from peft_engine.config.foreign.outgoing.letter import Letter
from peft_engine.config.foreign.outgoing.trainer import put_evaluation_cadence, put_precision, put_schedule
from peft_schemas.config import DatasetConfig

_LOADERS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}


def write(letter: Letter) -> None:
    """Write the keys that only mean something together."""
    config = letter.config
    _method(letter)
    put_precision(letter, unsaid="bfloat16")
    if config.model.attention != "auto":
        letter.put("attn_implementation", config.model.attention)
    letter.settle("model.attention")  # TRL chooses by itself when nothing is written
    letter.put("completion_only_loss", config.training.completion_only_loss, "training.completion_only_loss")
    put_schedule(letter)
    entries = [_dataset(letter, f"datasets[{index}]", entry) for index, entry in enumerate(config.datasets)]
    letter.put("datasets", entries)
    _text_column(letter)
    if config.evaluation.datasets:
        letter.settle("evaluation.split")
        letter.cannot("evaluation.datasets", "TRL evaluates on a part of the training data, or on its own test split.")
    elif config.evaluation.split:
        letter.put("test_split_size", config.evaluation.split, "evaluation.split")
        put_evaluation_cadence(letter)


def _method(letter: Letter) -> None:
    method, packing = letter.config.method, letter.config.model.quantization
    if method.type == "full":
        letter.put("use_peft", False, "method.type")
        if packing != "none":
            letter.cannot("model.quantization", "Packed weights cannot be trained in full.")
        return
    letter.put("use_peft", True, "method.type")
    if packing in ("nf4", "fp4") or (method.type == "qlora" and packing == "none"):
        letter.put("load_in_4bit", True, "model.quantization")
        if packing != "none":
            letter.put("bnb_4bit_quant_type", packing)
    elif packing == "int8":
        letter.put("load_in_8bit", True, "model.quantization")
    if method.type in ("dora", "rslora"):
        letter.put(f"use_{method.type}", True)
    elif method.type == "pissa":
        letter.cannot("method.type", "TRL's file has no key for the way an adapter begins, so this becomes plain LoRA.")
    if isinstance(method.target_modules, list) or method.target_modules == "all-linear":
        letter.put("lora_target_modules", method.target_modules, "method.target_modules")
    else:
        letter.cannot("method.target_modules", "TRL's file takes names of modules and no regular expression.")


def _dataset(letter: Letter, at: str, entry: DatasetConfig) -> dict[str, Any]:
    letter.settle(f"{at}.path", f"{at}.format")  # TRL recognises the form by the names of the columns
    loader = _LOADERS.get(PurePosixPath(entry.path).suffix.lower())
    written: dict[str, Any] = {"path": entry.path} if loader is None else {"path": loader, "data_files": entry.path}
    if entry.split is not None:
        written["split"] = entry.split
        letter.settle(f"{at}.split")
    return written


def _text_column(letter: Letter) -> None:
    """Write the column of plain texts, of which TRL has one for all datasets."""
    names = [entry.columns.text or "text" for entry in letter.config.datasets]
    if len(set(names)) == 1:
        letter.put("dataset_text_field", names[0], *(f"datasets[{i}].columns.text" for i in range(len(names))))
        return
    for index, entry in enumerate(letter.config.datasets):
        if entry.columns.text is not None:
            letter.cannot(f"datasets[{index}].columns.text", "TRL has one such column for all datasets.")
