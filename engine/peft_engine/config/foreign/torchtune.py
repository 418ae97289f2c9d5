"""torchtune: components by their import path, and the model by its checkpoint's folder."""

import re
from functools import cache
from importlib import resources

import yaml

from peft_engine.config.foreign.convert import (
    AT_THE_END,
    NO_CLIPPING,
    number_of,
    put_length,
    texts,
    translate_word,
    truth,
    whole,
)
from peft_engine.config.foreign.draft import TO_FILL_IN, UNUSABLE, Draft, Step
from peft_engine.config.foreign.loop import put_every_epoch
from peft_engine.config.foreign.method import Adapter, put_adapter, put_full
from peft_engine.config.foreign.source import Leaf
from peft_schemas.base import Word
from peft_schemas.config import DatasetFormat

_MODULES = {"output_proj": "o_proj"}
"""torchtune's names of modules that a model on the hub names otherwise."""

_MLP = ["gate_proj", "down_proj", "up_proj"]
_FILE_LOADERS = ("json", "csv", "parquet", "text")
_DOWNLOAD = re.compile(r"tune download (?P<id>[\w.-]+/[\w.-]+).*?--output-dir[ =](?P<folder>\S+)")
_USUAL_RATE = 1e-3
"""What an optimizer of PyTorch, bitsandbytes or torchao takes when no learning rate is written."""


class Component(Word):
    """A dataset builder of torchtune's."""

    source: str | None = None
    """The dataset when none is written."""

    format: DatasetFormat
    columns: dict[str, str] = {}
    learns_prompts: bool = False
    """Whether the prompts are learned as well when nothing is written."""


class Components(Word):
    """The content of `torchtune-datasets.yaml`."""

    datasets: dict[str, Component]


@cache
def components() -> dict[str, Component]:
    """Return the dataset builders by their names."""
    text = resources.files("peft_profiles").joinpath("foreign/torchtune-datasets.yaml").read_text(encoding="utf-8")
    return Components.model_validate(yaml.safe_load(text)).datasets


def objective(draft: Draft) -> None:
    """Read the loss: only that of supervised fine-tuning can be said here."""
    leaf = draft.get("loss._component_")
    draft.confirm(leaf)
    name = _last(leaf)
    teacher = draft.get("teacher_model._component_")
    if leaf is not None and name is not None and "crossentropy" not in name.lower() and not name.startswith("CE"):
        message = f"The language describes supervised fine-tuning; `{name}` is another objective."
        draft.report(UNUSABLE, "error", message, leaf)
    if teacher is not None:
        message = "The language describes supervised fine-tuning, not learning from a teacher model."
        draft.report(UNUSABLE, "error", message, teacher)


def model(draft: Draft) -> None:
    """Read the base: the folder of its checkpoint, or the hub id that the comments say was downloaded to it."""
    folder, kind = draft.get("checkpointer.checkpoint_dir"), draft.get("checkpointer._component_")
    path = str(draft.value("checkpointer.checkpoint_dir", ""))
    draft.confirm(folder, kind)
    identifier = next((found for where, found in _downloads(draft) if where == path.rstrip("/")), None)
    cached = re.search(r"models--([\w.-]+?)--([\w.-]+)", path)
    if cached is not None:
        identifier = f"{cached[1]}/{cached[2]}"
    if identifier is not None:
        draft.put("model.base", identifier, folder)
        draft.change(folder, f"This folder holds a copy of `{identifier}`, which is named instead.", "hint")
    elif path and _last(kind) != "FullModelMetaCheckpointer":
        draft.put("model.base", path, folder)
        message = "The folder is taken as the base; if it is not on this machine, write the model's hub id instead."
        draft.change(folder, message)


def method(draft: Draft) -> None:
    """Read the method off the name of the model's builder."""
    builder = draft.get("model._component_")
    name = _last(builder) or ""
    parts = [draft.get(f"model.{part}") for part in ("lora_attn_modules", "apply_lora_to_mlp", "apply_lora_to_output")]
    quantized = draft.get("model.quantize_base")
    draft.confirm(builder, quantized, *parts, draft.get("quantizer._component_"))
    if not name.startswith(("lora_", "qlora_")):
        put_full(draft, builder)
        return
    packed = name.startswith("qlora_") or truth(quantized)
    put_adapter(
        draft,
        Adapter(
            made_of=(builder,),
            bits=4 if packed else 0,
            bits_from=(quantized if truth(quantized) else builder,),
            dora=draft.get("model.use_dora"),
        ),
    )
    modules = [_MODULES.get(module, module) for module in texts(draft.value("model.lora_attn_modules"))]
    if truth(parts[1]):
        modules += _MLP
    if truth(parts[2]):
        modules.append("lm_head")
    if modules:
        draft.put("method.target_modules", modules, *parts)


def precision(draft: Draft) -> None:
    """Read the number type, in which torchtune holds and computes everything."""
    leaf = draft.get("dtype")
    draft.confirm(leaf)
    if leaf is not None and leaf.value is not None:
        translate_word(draft, leaf, "model.dtype", "number type")
        if "model.dtype" in draft.settings:
            draft.put("training.precision", draft.settings["model.dtype"].value, leaf)


def data(draft: Draft) -> None:
    """Read the training data: one builder, or a list of them."""
    places = [f"dataset[{index}]" for index in range(draft.source.count("dataset"))] or ["dataset"]
    amount = 0
    for at in places:
        amount += _put_dataset(draft, at, "datasets[%d]", amount)
        _put_training_of(draft, at)


def loop(draft: Draft) -> None:
    """Read what the recipe does by itself where nothing is written."""
    put_length(draft, draft.get("tokenizer.max_seq_len"))
    clip = draft.get("clip_grad_norm")
    norm = number_of(draft, clip)
    draft.put("training.max_grad_norm", norm or NO_CLIPPING, clip, note=None if norm else "no clipping")
    seed = draft.get("seed")
    draft.confirm(seed)
    if seed is not None and seed.value is not None:
        draft.put("training.seed", whole(draft, seed), seed)
    _put_steps(draft)


def evaluation(draft: Draft) -> None:
    """Read what is evaluated on, and how often."""
    steps = draft.get("run_val_every_n_steps")
    count = whole(draft, steps)
    draft.confirm(steps)
    if not draft.source.below("dataset_val"):
        return
    if not count:
        for leaf in draft.source.below("dataset_val"):
            draft.leave_out(leaf, "torchtune does not evaluate unless `run_val_every_n_steps` is set.", "information")
        draft.confirm(draft.get("batch_size_val"))
        return
    _put_dataset(draft, "dataset_val", "evaluation.datasets[%d]", 0)
    draft.confirm(draft.get("dataset_val.train_on_input"))
    draft.put("evaluation.every_steps", count, steps)
    size = draft.get("batch_size_val")
    if (rows := whole(draft, size)) is not None:
        draft.put("evaluation.batch_size", rows, size)


def checkpoints(draft: Draft) -> None:
    """Read how often a checkpoint is written: after each epoch, and every so many steps where that is written."""
    steps, epochs = draft.get("save_every_n_steps"), draft.get("save_every_n_epochs")
    count, every = whole(draft, steps), whole(draft, epochs)
    draft.confirm(steps, epochs)
    if count:
        draft.put("checkpoint.every_steps", count, steps)
    elif every and every > draft.set_value("training.num_epochs"):
        draft.put("checkpoint.every_steps", AT_THE_END, epochs)
    else:
        put_every_epoch(draft, "checkpoint.every_steps", 1 / (every or 1), epochs)


def optimizer(draft: Draft) -> None:
    """Read the optimizer, the schedule and what they do by themselves."""
    leaf, schedule = draft.get("optimizer._component_"), draft.get("lr_scheduler._component_")
    draft.confirm(leaf, schedule)
    if leaf is not None and leaf.value is not None:
        translate_word(draft, leaf, "training.optimizer", "optimizer")
        draft.default("training.learning_rate", _USUAL_RATE)
        if "adamw" in str(leaf.value).lower():
            draft.default("training.weight_decay", 0.01)
    if schedule is None or schedule.value is None:
        draft.default("training.lr_scheduler", "constant")
    else:
        translate_word(draft, schedule, "training.lr_scheduler", "scheduler")


def _put_steps(draft: Draft) -> None:
    leaf = draft.get("max_steps_per_epoch")
    most = whole(draft, leaf)
    draft.confirm(leaf)
    if most:
        total = most * int(draft.set_value("training.num_epochs"))
        draft.put("training.max_steps", total, leaf)
        draft.change(leaf, f"The most steps of an epoch became the run's steps, {total}; with few data it ends later.")


def _put_dataset(draft: Draft, at: str, ours: str, index: int) -> int:
    """Set one dataset, or several when it names several files; return how many."""
    builder, source = draft.get(f"{at}._component_"), draft.get(f"{at}.source")
    files, split = draft.get(f"{at}.data_files"), draft.get(f"{at}.split")
    name = _last(builder)
    found = components().get(name or "")
    draft.confirm(builder, source, files, split, draft.get(f"{at}.packed"))
    if builder is None:
        return 0
    if found is None:
        message = f"There is no form of records here for `{name}`; `auto` recognises them, so look at the result."
        draft.report(TO_FILL_IN, "warning", message, builder)
    written = str(draft.value(f"{at}.source", (found.source if found is not None else None) or ""))
    names = texts(None if files is None else files.value) if written in (*_FILE_LOADERS, "") else []
    names = names or [written]
    for offset, path in enumerate(names):
        target = ours % (index + offset)
        if found is not None:
            draft.put(f"{target}.format", found.format, builder)
        if path:
            draft.put(f"{target}.path", path, source or builder, files)
        _put_columns(draft, at, target, found)
        if split is not None and split.value is not None:
            draft.put(f"{target}.split", str(split.value), split)
    return len(names)


def _put_training_of(draft: Draft, at: str) -> None:
    packed, found = draft.get(f"{at}.packed"), components().get(_last(draft.get(f"{at}._component_")) or "")
    if packed is not None and packed.value is not None:
        draft.put("training.packing", truth(packed), packed)
    if draft.get(f"{at}._component_") is None:
        return
    prompts = draft.get(f"{at}.train_on_input")
    learned = truth(prompts, default=found.learns_prompts if found is not None else False)
    draft.put("training.completion_only_loss", not learned, prompts)


def _put_columns(draft: Draft, at: str, target: str, found: Component | None) -> None:
    style, column = draft.get(f"{at}.conversation_style"), draft.get(f"{at}.conversation_column")
    draft.confirm(style, column)
    columns = dict(found.columns) if found is not None else {}
    if style is not None:
        sharegpt = str(style.value) == "sharegpt"
        draft.put(f"{target}.format", "sharegpt" if sharegpt else "messages", style)
        if column is not None and column.value is not None:
            draft.put(f"{target}.columns.{'conversations' if sharegpt else 'messages'}", str(column.value), column)
    text = draft.get(f"{at}.column")
    if text is not None and text.value is not None:
        columns["text"] = str(text.value)
        draft.confirm(text)
    for leaf in draft.source.below(f"{at}.column_map"):
        ours = {"input": "prompt", "output": "completion"}.get(leaf.name, leaf.name)
        if found is not None and found.format == "alpaca":
            ours = leaf.name
        draft.put(f"{target}.columns.{ours}", str(leaf.value), leaf)
        columns.pop(ours, None)
    for ours, theirs in columns.items():
        if ours != theirs:
            draft.put(f"{target}.columns.{ours}", theirs, text if ours == "text" else None)


def _last(leaf: Leaf | None) -> str | None:
    return None if leaf is None or leaf.value is None else str(leaf.value).rpartition(".")[2]


def _downloads(draft: Draft) -> list[tuple[str, str]]:
    document = draft.source.document
    text = "\n".join(document.source.text[start:end] for start, end in document.comments)
    return [(match["folder"].rstrip("/"), match["id"]) for match in _DOWNLOAD.finditer(text)]


STEPS: dict[str, Step] = {
    "objective": objective,
    "model": model,
    "method": method,
    "precision": precision,
    "data": data,
    "optimizer": optimizer,
    "loop": loop,
    "evaluation": evaluation,
    "checkpoints": checkpoints,
}
"""What reads the keys that the table lists under `together`, in this order."""
