"""What Axolotl has in other words than a key for a key."""

from typing import Any

from peft_engine.config.foreign.outgoing.letter import Letter
from peft_engine.config.foreign.outgoing.tracking import write_mlflow
from peft_schemas.config import DatasetConfig

_COLUMNS = {"alpaca": (), "text": ("text",), "messages": ("messages",), "sharegpt": ("conversations",)}
"""The formats that Axolotl has, and of each the columns that can be named."""


def write(letter: Letter) -> None:
    """Write the keys that only mean something together."""
    _method(letter)
    _precision(letter)
    training = letter.config.training
    letter.put("micro_batch_size", training.batch_size, "training.batch_size")
    letter.put(
        "gradient_accumulation_steps", training.gradient_accumulation_steps, "training.gradient_accumulation_steps"
    )
    if training.warmup_ratio:
        letter.put("warmup_ratio", training.warmup_ratio, "training.warmup_ratio", "training.warmup_steps")
    else:
        letter.put("warmup_steps", training.warmup_steps, "training.warmup_steps")
    letter.put("gradient_checkpointing", training.gradient_checkpointing, "training.gradient_checkpointing")
    letter.put("train_on_inputs", not training.completion_only_loss, "training.completion_only_loss")
    if letter.config.model.attention != "auto":
        letter.put("attn_implementation", letter.config.model.attention, "model.attention")
    if letter.config.model.chat_template is not None:
        letter.put("chat_template", "jinja")
        letter.put("chat_template_jinja", letter.config.model.chat_template, "model.chat_template")
    _data(letter)
    write_mlflow(letter)
    letter.put("save_steps", letter.config.checkpoint.every_steps, "checkpoint.every_steps")


def _method(letter: Letter) -> None:
    method, packing = letter.config.method, letter.config.model.quantization
    if method.type == "full":
        letter.settle("method.type")
        if packing != "none":
            letter.cannot("model.quantization", "Axolotl refuses to train packed weights in full.")
        return
    four = packing in ("nf4", "fp4") or (method.type == "qlora" and packing == "none")
    letter.put("adapter", "qlora" if four else "lora", "method.type")
    if four:
        letter.put("load_in_4bit", True, "model.quantization")
    elif packing == "int8":
        letter.put("load_in_8bit", True, "model.quantization")
    if packing == "fp4":
        letter.put("bnb_config_kwargs.bnb_4bit_quant_type", "fp4")
    switches: dict[str, tuple[str, Any]] = {
        "dora": ("peft_use_dora", True),
        "rslora": ("peft_use_rslora", True),
        "pissa": ("peft_init_lora_weights", "pissa"),
    }
    if method.type in switches:
        letter.put(*switches[method.type])
    if method.target_modules == "all-linear":
        letter.put("lora_target_linear", True, "method.target_modules")
    else:
        letter.put("lora_target_modules", method.target_modules, "method.target_modules")


def _precision(letter: Letter) -> None:
    kind, weights = letter.config.training.precision, letter.config.model.dtype
    switches: dict[str, tuple[Any, Any]] = {
        "auto": ("auto", None),
        "bfloat16": (True, False),
        "float16": (False, True),
        "float32": (False, False),
    }
    bf16, fp16 = switches[kind]
    letter.put("bf16", bf16, "training.precision")
    if fp16 is not None:
        letter.put("fp16", fp16)
    if weights == kind:
        letter.settle("model.dtype")
    else:
        letter.cannot("model.dtype", "Axolotl holds the base in the type in which it computes.")


def _data(letter: Letter) -> None:
    config = letter.config
    letter.put("datasets", [_dataset(letter, f"datasets[{i}]", entry) for i, entry in enumerate(config.datasets)])
    if config.evaluation.datasets:
        entries = [
            _dataset(letter, f"evaluation.datasets[{i}]", entry) for i, entry in enumerate(config.evaluation.datasets)
        ]
        letter.put("test_datasets", entries)
    share = 0 if config.evaluation.datasets else config.evaluation.split  # datasets of their own count
    letter.put("val_set_size", share, "evaluation.split")
    if config.evaluation.split or config.evaluation.datasets:
        letter.put("eval_steps", config.evaluation.every_steps, "evaluation.every_steps")


def _dataset(letter: Letter, at: str, entry: DatasetConfig) -> dict[str, Any]:
    written: dict[str, Any] = {"path": entry.path}
    letter.settle(f"{at}.path")
    columns = entry.columns
    if entry.format not in _COLUMNS:
        because = "Axolotl has to be told the form of the records; write `type` there by hand."
        letter.cannot(f"{at}.format", because)
        return written
    letter.settle(f"{at}.format")
    letter.settle(*(f"{at}.columns.{name}" for name in _COLUMNS[entry.format]))
    match entry.format:
        case "alpaca" if columns.instruction or columns.input or columns.output:
            written["type"] = {
                "field_instruction": columns.instruction or "instruction",
                "field_input": columns.input or "input",
                "field_output": columns.output or "output",
            }
            letter.settle(*(f"{at}.columns.{name}" for name in ("instruction", "input", "output")))
        case "alpaca":
            written["type"] = "alpaca"
        case "text":
            written["type"] = "completion"
            if columns.text is not None:
                written["field"] = columns.text
        case "messages":
            written |= {"type": "chat_template", "field_messages": columns.messages or "messages"}
        case "sharegpt":
            written |= {
                "type": "chat_template",
                "field_messages": columns.conversations or "conversations",
                "message_property_mappings": {"role": "from", "content": "value"},
            }
    if entry.split is not None:
        written["split"] = entry.split
        letter.settle(f"{at}.split")
    return written
