"""Oumi: keys that only mean something together."""

from peft_engine.config.foreign import records
from peft_engine.config.foreign.convert import AT_THE_END, put_length, texts, truth, whole
from peft_engine.config.foreign.draft import CONTRADICTION, UNUSABLE, Draft, Step
from peft_engine.config.foreign.loop import put_cadence, put_every_epoch, put_warmup
from peft_engine.config.foreign.method import Adapter, put_adapter, put_full, put_targets, usual_targets
from peft_engine.config.foreign.source import Leaf

_SUPERVISED = ("trl_sft", "hf", "oumi")
"""Trainers that do supervised fine-tuning."""

_ALPACA = ("yahma/alpaca-cleaned", "tatsu-lab/alpaca")
"""Datasets that Oumi reads as alpaca records."""

_SAVE_STEPS = 500
"""Steps between two checkpoints when none are written."""

_TYPES = {"bf16": "bfloat16", "fp16": "float16"}


def objective(draft: Draft) -> None:
    """Read the trainer: only supervised fine-tuning can be said here."""
    leaf = draft.get("training.trainer_type")
    draft.confirm(leaf)
    if leaf is not None and leaf.value is not None and str(leaf.value).lower() not in _SUPERVISED:
        message = f"The language describes supervised fine-tuning; `{leaf.value}` has another objective."
        draft.report(UNUSABLE, "error", message, leaf)


def method(draft: Draft) -> None:
    """Read the method: an adapter only where `use_peft` asks for one."""
    switch, packed, bits = draft.get("training.use_peft"), draft.get("peft.q_lora"), draft.get("peft.q_lora_bits")
    targets = draft.get("peft.lora_target_modules")
    if not truth(switch):
        put_full(draft, switch)
        draft.confirm(packed, bits, targets)
        return
    packing = draft.get("peft.bnb_4bit_quant_type")
    size = whole(draft, bits, 4)
    draft.confirm(bits, packing)
    adapter = Adapter(
        made_of=(switch,),
        bits=0 if not truth(packed) else 8 if size == 8 else 4,
        bits_from=(packed, bits),
        packing="nf4" if packing is not None and packing.value == "nf4" else "fp4",
        packing_from=packing,
        start=draft.get("peft.lora_init_weights"),
    )
    put_adapter(draft, adapter)
    if adapter.bits == 4:
        draft.default("model.double_quantization", False)
    if not put_targets(draft, targets):
        usual_targets(draft)


def precision(draft: Draft) -> None:
    """Read the number type of the weights and that of the computation."""
    weights, mixed = draft.get("model.torch_dtype_str"), draft.get("training.mixed_precision_dtype")
    kind = str(draft.value("model.torch_dtype_str", "auto")).lower().removeprefix("torch.")
    kind = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}.get(kind, kind)
    if weights is not None and weights.value is not None:
        if kind not in ("auto", "float32", "bfloat16", "float16"):
            draft.report(UNUSABLE, "error", f"There is no number type `{weights.value}` here; it is left out.", weights)
            return
        draft.put("model.dtype", kind, weights)
    word = str(draft.value("training.mixed_precision_dtype", "none")).lower()
    if word in _TYPES:
        draft.put("training.precision", _TYPES[word], mixed)
    elif kind != "auto":
        draft.put("training.precision", kind, weights)
    draft.confirm(weights, mixed)


def data(draft: Draft) -> None:
    """Read the training data and which of its tokens are learned."""
    _put_all(draft, "data.train", "datasets")
    collator, target = draft.get("data.train.collator_name"), draft.get("data.train.train_target")
    only = target is not None and target.value is not None
    if collator is not None and collator.value is not None:
        only = only or "completions_only" in str(collator.value)
        if "vision" in str(collator.value):
            draft.leave_out(collator, "The language is for text; pictures are not read.")
    draft.put("training.completion_only_loss", only, collator, target)


def evaluation(draft: Draft) -> None:
    """Read what is evaluated on, and how often."""
    strategy, steps = draft.get("training.eval_strategy"), draft.get("training.eval_steps")
    for section in ("data.validation", "data.test"):
        draft.confirm_below(section, ("collator_name", "train_target"))
    during = put_cadence(draft, "evaluation.every_steps", strategy=strategy, steps=steps, usual="no", usual_steps=500)
    if not draft.source.count("data.validation.datasets"):
        draft.unset("evaluation.every_steps")
        return
    _put_all(draft, "data.validation", "evaluation.datasets")
    if not during:
        draft.put("evaluation.every_steps", AT_THE_END, strategy, note="once, at the end")


def checkpoints(draft: Draft) -> None:
    """Read how often a checkpoint is written."""
    steps, epochs = draft.get("training.save_steps"), draft.get("training.save_epoch")
    count = whole(draft, steps, _SAVE_STEPS) or 0
    draft.confirm(steps, epochs)
    if count > 0:
        if draft.value("training.save_steps") is None:
            draft.default("checkpoint.every_steps", count)
        else:
            draft.put("checkpoint.every_steps", count, steps)
        if truth(epochs):
            message = f"Oumi saves every {count} steps then: `save_steps` counts unless it is 0, so this is left out."
            draft.report(CONTRADICTION, "warning", message, epochs)
    elif truth(epochs):
        put_every_epoch(draft, "checkpoint.every_steps", 1, epochs)
    else:
        draft.put("checkpoint.every_steps", AT_THE_END, steps, note="once, at the end")


def length(draft: Draft) -> None:
    """Read where examples are cut: TRL's trainer has a length of its own, the others cut only where one is written."""
    leaf, trainer = draft.get("model.model_max_length"), str(draft.value("training.trainer_type", "hf")).lower()
    draft.confirm(leaf)
    if draft.value("model.model_max_length") is not None or trainer != "trl_sft":
        put_length(draft, leaf)


def warmup(draft: Draft) -> None:
    """Read the warmup."""
    put_warmup(draft, draft.get("training.warmup_steps"), draft.get("training.warmup_ratio"))


def template(draft: Draft) -> None:
    """Read the chat template."""
    records.put_template(draft, draft.get("model.chat_template"), own=("auto",))


def _put_all(draft: Draft, section: str, ours: str) -> None:
    for index in range(draft.source.count(f"{section}.datasets")):
        _put_dataset(draft, f"{section}.datasets[{index}]", f"{ours}[{index}]")


def _put_dataset(draft: Draft, at: str, target: str) -> None:
    name, path = draft.get(f"{at}.dataset_name"), draft.get(f"{at}.dataset_path")
    hub = draft.get(f"{at}.dataset_kwargs.hf_dataset_path")
    where = draft.first(f"{at}.dataset_path", f"{at}.dataset_kwargs.hf_dataset_path", f"{at}.dataset_name")
    draft.confirm(name, path, hub)
    if where is None:
        return
    draft.put(f"{target}.path", str(where.value), where)
    kind = "" if name is None else str(name.value)
    if kind in _ALPACA:
        draft.put(f"{target}.format", "alpaca", name)
    elif kind == "PromptResponseDataset":
        draft.put(f"{target}.format", "prompt-completion", name)
        _put_column(draft, f"{target}.columns.prompt", draft.get(f"{at}.dataset_kwargs.prompt_column"), "instruction")
        _put_column(draft, f"{target}.columns.completion", draft.get(f"{at}.dataset_kwargs.response_column"), "output")
    elif kind == "HuggingFaceDataset":
        column = draft.get(f"{at}.dataset_kwargs.messages_column")
        records.put_conversations(
            draft, target, name, column=column, role=None, content=None, usual_column="messages", turns_of="messages"
        )
    elif where is name:
        draft.change(name, "Oumi has code of its own for this dataset; here `auto` recognises the form of its records.")
    _put_part(draft, at, target)


def _put_column(draft: Draft, path: str, leaf: Leaf | None, usual: str) -> None:
    written = texts(None if leaf is None else leaf.value)
    draft.put(path, written[0] if written else usual, leaf)


def _put_part(draft: Draft, at: str, target: str) -> None:
    split, amount = draft.get(f"{at}.split"), draft.get(f"{at}.sample_count")
    word = str(draft.value(f"{at}.split", "train"))
    count = whole(draft, amount)
    draft.confirm(split, amount)
    if count and "[" not in word:
        draft.put(f"{target}.split", f"{word}[:{count}]", split, amount)
    elif split is not None and split.value is not None:
        draft.put(f"{target}.split", word, split)


STEPS: dict[str, Step] = {
    "objective": objective,
    "method": method,
    "precision": precision,
    "template": template,
    "data": data,
    "length": length,
    "warmup": warmup,
    "evaluation": evaluation,
    "checkpoints": checkpoints,
}
"""What reads the keys that the table lists under `together`, in this order."""
