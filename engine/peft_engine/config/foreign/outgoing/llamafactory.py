"""What LLaMA-Factory has in other words than a key for a key."""

import json
from pathlib import PurePosixPath
from typing import Any

from peft_engine.config.foreign.outgoing.letter import Letter
from peft_engine.config.foreign.outgoing.trainer import put_evaluation_cadence, put_precision, put_schedule
from peft_engine.config.resolve import clean_name
from peft_schemas.config import ColumnsConfig, DatasetConfig

_ATTENTION = {"auto": "auto", "eager": "disabled", "sdpa": "sdpa", "flash_attention_2": "fa2"}
_ALPACA = {"prompt": "instruction", "query": "input", "response": "output"}
_OPENAI = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


def write(letter: Letter) -> None:
    """Write the keys that only mean something together."""
    training = letter.config.training
    letter.put("stage", "sft")
    letter.put("do_train", True)
    _method(letter)
    put_precision(letter, unsaid="auto")
    if letter.config.model.dtype == training.precision:
        letter.settle("model.dtype")
    else:
        because = "LLaMA-Factory holds the base in the type in which it computes."
        letter.cannot("model.dtype", because)
    letter.put("flash_attn", _ATTENTION[letter.config.model.attention], "model.attention")
    if training.packing:
        letter.put("neat_packing", True)
    letter.put("packing", training.packing, "training.packing")
    letter.put("train_on_prompt", not training.completion_only_loss, "training.completion_only_loss")
    put_schedule(letter)
    _data(letter)


def _method(letter: Letter) -> None:
    method, packing = letter.config.method, letter.config.model.quantization
    letter.put("finetuning_type", "full" if method.type == "full" else "lora", "method.type")
    if method.type == "full":
        if packing != "none":
            letter.cannot("model.quantization", "LLaMA-Factory refuses to train packed weights in full.")
        return
    if packing in ("nf4", "fp4"):
        letter.put("quantization_bit", 4, "model.quantization")
        letter.put("quantization_type", packing)
    elif packing == "int8":
        letter.put("quantization_bit", 8, "model.quantization")
    elif method.type == "qlora":
        letter.put("quantization_bit", 4, "model.quantization")
    switches = {"dora": "use_dora", "rslora": "use_rslora", "pissa": "pissa_init"}
    if method.type in switches:
        letter.put(switches[method.type], True)
    if method.alpha == int(method.alpha):
        letter.put("lora_alpha", int(method.alpha), "method.alpha")
    else:
        letter.cannot("method.alpha", "LLaMA-Factory takes whole numbers only.")
    if method.target_modules == "all-linear":
        letter.put("lora_target", "all", "method.target_modules")
    elif isinstance(method.target_modules, list):
        letter.put("lora_target", ",".join(method.target_modules), "method.target_modules")
    else:
        letter.cannot("method.target_modules", "LLaMA-Factory takes names of modules and no regular expression.")
    if method.modules_to_save:
        letter.put("additional_target", ",".join(method.modules_to_save), "method.modules_to_save")


def _data(letter: Letter) -> None:
    config = letter.config
    info: dict[str, Any] = {}
    letter.put("dataset", _named(letter, "datasets", config.datasets, info))
    if config.evaluation.datasets:
        letter.put("eval_dataset", _named(letter, "evaluation.datasets", config.evaluation.datasets, info))
        letter.settle("evaluation.split")  # datasets of their own count
    elif config.evaluation.split:
        letter.put("val_size", config.evaluation.split, "evaluation.split")
    if config.evaluation.split or config.evaluation.datasets:
        put_evaluation_cadence(letter)
    letter.put("dataset_dir", ".")
    letter.notes += ["LLaMA-Factory looks its datasets up in dataset_info.json, here beside this file:"]
    letter.notes += json.dumps(info, indent=2, ensure_ascii=False).splitlines()
    letter.differs("datasets", "Save what stands at the head of the new file as dataset_info.json beside it.")


def _named(letter: Letter, at: str, entries: list[DatasetConfig], info: dict[str, Any]) -> str:
    """Describe datasets for `dataset_info.json`, and return their names."""
    names = []
    for index, entry in enumerate(entries):
        stem = clean_name(PurePosixPath(entry.path).stem) or "data"
        name = stem if stem not in info else f"{stem}-{len(info)}"
        info[name] = _described(letter, f"{at}[{index}]", entry)
        names.append(name)
    return ",".join(names)


def _described(letter: Letter, at: str, entry: DatasetConfig) -> dict[str, Any]:
    is_file = bool(PurePosixPath(entry.path).suffix)
    found: dict[str, Any] = {"file_name" if is_file else "hf_hub_url": entry.path}
    letter.settle(f"{at}.path")
    if entry.split is not None and not is_file:
        found["split"] = entry.split
        letter.settle(f"{at}.split")
    columns = _columns(entry.format, entry.columns)
    if columns is None:
        letter.cannot(f"{at}.format", "LLaMA-Factory has to be told the form of the records.")
        return found
    letter.settle(f"{at}.format", *(f"{at}.columns.{name}" for name in ColumnsConfig.model_fields))
    found["columns"] = columns
    if entry.format in ("messages", "sharegpt"):
        found["formatting"] = "sharegpt"
    if entry.format == "messages":
        found["tags"] = _OPENAI
    return found


def _columns(form: str, columns: ColumnsConfig) -> dict[str, str] | None:
    match form:
        case "alpaca":
            return {theirs: getattr(columns, ours) or ours for theirs, ours in _ALPACA.items()}
        case "prompt-completion":
            return {"prompt": columns.prompt or "prompt", "response": columns.completion or "completion"}
        case "text":
            return {"prompt": columns.text or "text"}
        case "messages":
            return {"messages": columns.messages or "messages"}
        case "sharegpt":
            return {"messages": columns.conversations or "conversations"}
        case _:
            return None
