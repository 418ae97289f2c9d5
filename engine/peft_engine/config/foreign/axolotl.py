"""Axolotl: keys that only mean something together."""

from peft_engine.config.foreign import records
from peft_engine.config.foreign.convert import (
    AT_THE_END,
    number_of,
    refuse,
    switched_on,
    texts,
    translate_word,
    truth,
    whole,
)
from peft_engine.config.foreign.draft import CONTRADICTION, TO_FILL_IN, UNUSABLE, Draft, Step
from peft_engine.config.foreign.loop import put_cadence, put_every_epoch, put_holdout, put_precision, put_warmup
from peft_engine.config.foreign.method import Adapter, put_adapter, put_full, put_targets, usual_targets
from peft_engine.config.foreign.source import Leaf
from peft_engine.config.foreign.tracking import put_mlflow

_ATTENTION = {
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "eager_attention": "eager",
}
"""Axolotl's older switches."""


def method(draft: Draft) -> None:
    """Read the adapter with the switches for a packed base."""
    adapter = draft.get("adapter")
    kind = draft.value("adapter")
    packed4, packed8 = draft.get("load_in_4bit"), draft.get("load_in_8bit")
    targets, linear = draft.get("lora_target_modules"), draft.get("lora_target_linear")
    if kind is None:
        put_full(draft, adapter)
        draft.confirm(packed4, packed8, targets, linear)
        _packed_without_adapter(draft, packed4, packed8)
        return
    if kind not in ("lora", "qlora"):
        draft.report(UNUSABLE, "error", f"There is no method `{kind}` here; choose one of this language's.", adapter)
        return
    _packing(draft, str(kind), adapter, packed4, packed8)
    if truth(linear):
        draft.put("method.target_modules", "all-linear", linear)
        draft.confirm(targets)
        if texts(None if targets is None else targets.value):
            draft.change(targets, "`lora_target_linear` adapts every linear layer, so these are among them.")
        return
    draft.confirm(linear)
    if not put_targets(draft, targets):
        usual_targets(draft)


def batch(draft: Draft) -> None:
    """Read the batch, of which any two parts give the third."""
    micro, steps, total = (
        draft.get(name) for name in ("micro_batch_size", "gradient_accumulation_steps", "batch_size")
    )
    rows, accumulated, all_rows = whole(draft, micro), whole(draft, steps), whole(draft, total)
    draft.confirm(micro, steps, total)
    if all_rows and accumulated:
        message = "`gradient_accumulation_steps` is written as well, and Axolotl takes one of the two; it counts here."
        draft.report(CONTRADICTION, "warning", message, total)
    elif all_rows and rows:
        accumulated = max(all_rows // rows, 1)
        draft.put("training.gradient_accumulation_steps", accumulated, total, micro)
        if all_rows % rows:
            draft.change(
                total, f"The batch is no multiple of {rows}; Axolotl makes {accumulated * rows} of it.", "warning"
            )
    elif all_rows:
        draft.put("training.batch_size", all_rows, total)
        return
    if rows:
        draft.put("training.batch_size", rows, micro)
    if accumulated and steps is not None and "training.gradient_accumulation_steps" not in draft.settings:
        draft.put("training.gradient_accumulation_steps", accumulated, steps)


def precision(draft: Draft) -> None:
    """Read the number types, the older names included. Of `bf16` an empty value is not the absent one: it is off."""
    bf16, fp16 = switched_on(draft, "bf16", "bfloat16"), switched_on(draft, "fp16", "float16")
    empty = draft.get("bf16")
    draft.confirm(*(draft.get(name) for name in ("bf16", "bfloat16", "fp16", "float16", "float32")))
    put_precision(draft, bf16, fp16, usual="auto" if empty is None else "float32")
    if empty is not None and bf16 is None and not truth(fp16):
        message = (
            "Axolotl takes an empty `bf16` for off, and then computes in float32; write `auto` if that is not meant."
        )
        draft.change(empty, message, "warning")


def attention(draft: Draft) -> None:
    """Read how attention is computed."""
    leaf = draft.get("attn_implementation")
    if leaf is not None and leaf.value is not None:
        translate_word(draft, leaf, "model.attention", "attention")
    for name, meaning in _ATTENTION.items():
        switch = draft.get(name)
        draft.confirm(switch)
        if truth(switch) and "model.attention" not in draft.settings:
            draft.put("model.attention", meaning, switch)
    for name in ("xformers_attention", "flex_attention", "sage_attention", "s2_attention"):
        switch = draft.get(name)
        draft.confirm(switch)
        if truth(switch):
            draft.leave_out(switch, "This implementation is not among the ones here; the best for the device is taken.")
    draft.confirm(leaf)


def checkpointing(draft: Draft) -> None:
    """Read gradient checkpointing, which may also name a place to offload to."""
    leaf = draft.get("gradient_checkpointing")
    if leaf is None or leaf.value is None:
        draft.confirm(leaf)
    elif isinstance(leaf.value, str) and leaf.value.lower() not in ("true", "false"):
        draft.put("training.gradient_checkpointing", True, leaf)
        draft.change(leaf, f"`{leaf.value}` also moves activations out of the device's memory, which is not done here.")
    else:
        draft.put("training.gradient_checkpointing", truth(leaf), leaf)


def loss(draft: Draft) -> None:
    """Read whether prompts are learned as well."""
    leaf = draft.get("train_on_inputs")
    if leaf is not None and leaf.value is not None:
        draft.put("training.completion_only_loss", not truth(leaf), leaf)
    draft.confirm(leaf)


def template(draft: Draft) -> None:
    """Read the chat template: the model's own, a file, or one of Axolotl's."""
    leaf, jinja = draft.get("chat_template"), draft.get("chat_template_jinja")
    path = draft.value("chat_template_jinja")
    if isinstance(path, str) and not {"{", "\n"} & set(path.strip()):
        draft.put("model.chat_template", path.strip(), jinja, leaf)
    elif path is not None:
        draft.leave_out(jinja, "Save the template as a file and name it in `model.chat_template`.")
    records.put_template(draft, leaf, own=("tokenizer_default", "jinja"))


def data(draft: Draft) -> None:
    """Read the training data."""
    if not draft.source.count("datasets") and draft.source.count("pretraining_dataset"):
        _put_all(draft, "pretraining_dataset", "datasets")
    else:
        _put_all(draft, "datasets", "datasets")


def evaluation(draft: Draft) -> None:
    """Read what is evaluated on, and how often."""
    size, steps, times = draft.get("val_set_size"), draft.get("eval_steps"), draft.get("evals_per_epoch")
    _put_all(draft, "test_datasets", "evaluation.datasets")
    held_out = put_holdout(draft, size)
    draft.confirm(size, steps, times, draft.get("eval_strategy"))
    if not held_out and not draft.source.count("test_datasets"):
        return
    if _per_epoch(draft, "evaluation.every_steps", times, steps, "eval_steps"):
        return
    during = put_cadence(
        draft,
        "evaluation.every_steps",
        strategy=draft.get("eval_strategy"),
        steps=steps,
        usual="steps" if draft.value("eval_steps") else "no",
        usual_steps=None,
    )
    if not during:
        draft.put("evaluation.every_steps", AT_THE_END, times, note="once, at the end")
        message = "Axolotl would hold this out and never evaluate on it; here it is evaluated once, at the end."
        draft.change(size, message)


def checkpoints(draft: Draft) -> None:
    """Read how often a checkpoint is written."""
    steps, times, strategy = draft.get("save_steps"), draft.get("saves_per_epoch"), draft.get("save_strategy")
    draft.confirm(steps, times, strategy)
    if _per_epoch(draft, "checkpoint.every_steps", times, steps, "save_steps"):
        return
    usual = "steps" if draft.value("save_steps") else "epoch"
    if not put_cadence(draft, "checkpoint.every_steps", strategy=strategy, steps=steps, usual=usual, usual_steps=None):
        draft.put("checkpoint.every_steps", AT_THE_END, strategy, note="once, at the end")


def warmup(draft: Draft) -> None:
    """Read the warmup, for which Axolotl takes a share of the run when none is written."""
    steps, ratio = draft.get("warmup_steps"), draft.get("warmup_ratio")
    if number_of(draft, steps) == 0 and truth(ratio):
        draft.confirm(steps)
        message = "`warmup_steps: 0` is written as well and counts, so this is left out."
        draft.report(CONTRADICTION, "warning", message, ratio)
        return
    put_warmup(draft, steps, ratio)
    if draft.value("warmup_steps") is None and draft.value("warmup_ratio") is None:
        draft.default("training.warmup_ratio", 0.03)


def objective(draft: Draft) -> None:
    """Read what is learned: only supervised fine-tuning can be said here."""
    for name in ("rl", "reward_model", "process_reward_model"):
        leaf = draft.get(name)
        draft.confirm(leaf)
        if leaf is not None and leaf.value not in (None, False):
            message = f"The language describes supervised fine-tuning; `{name}: {leaf.value}` is another objective."
            draft.report(UNUSABLE, "error", message, leaf)


def _packing(draft: Draft, kind: str, adapter: Leaf | None, packed4: Leaf | None, packed8: Leaf | None) -> None:
    four, eight = truth(packed4) or (kind == "qlora" and not truth(packed8)), truth(packed8)
    if four and eight:
        message = "`load_in_4bit` is on as well, and both at once cannot be; 4 bits are taken."
        draft.report(CONTRADICTION, "warning", message, packed8)
    if kind == "qlora" and not truth(packed4):
        draft.change(adapter, "Axolotl's `qlora` needs `load_in_4bit: true`, which is not written; 4 bits are meant.")
    quant_type = draft.get("bnb_config_kwargs.bnb_4bit_quant_type")
    put_adapter(
        draft,
        Adapter(
            made_of=(adapter,),
            bits=4 if four else 8 if eight else 0,
            bits_from=(packed4,) if four else (packed8,) if eight else (),
            packing="fp4" if quant_type is not None and quant_type.value == "fp4" else "nf4",
            packing_from=quant_type,
            dora=draft.get("peft_use_dora"),
            rslora=draft.get("peft_use_rslora"),
            start=draft.get("peft_init_lora_weights"),
        ),
    )
    draft.confirm(packed4, packed8)


def _packed_without_adapter(draft: Draft, *packed: Leaf | None) -> None:
    for leaf in packed:
        if truth(leaf):
            message = "Weights that are packed cannot be trained in full, so this is left out; Axolotl refuses it too."
            draft.report(CONTRADICTION, "warning", message, leaf)


def _per_epoch(draft: Draft, path: str, times: Leaf | None, steps: Leaf | None, name: str) -> bool:
    count = whole(draft, times)
    if count is None or times is None:
        return False
    if steps is not None and steps.value is not None and count:
        message = f"`{name}` is written as well, and Axolotl takes one of the two; `{name}` counts here."
        draft.report(CONTRADICTION, "warning", message, times)
        return False
    if count <= 0:
        return False
    put_every_epoch(draft, path, count, times)
    return True


def _put_all(draft: Draft, foreign: str, ours: str) -> None:
    index = 0
    for position in range(draft.source.count(foreign)):
        index += _put_dataset(draft, f"{foreign}[{position}]", f"{ours}[%d]", index)


def _put_dataset(draft: Draft, at: str, ours: str, index: int) -> int:
    """Set one dataset, or several when it names several files; return how many."""
    path, files = draft.get(f"{at}.path"), draft.get(f"{at}.data_files")
    names = texts(None if files is None else files.value)
    if path is None or path.value is None:
        if not names:
            return 0
    elif not names:
        names = [str(path.value)]
    if files is not None and path is not None and texts(files.value) and "/" in str(path.value):
        draft.leave_out(files, "These files are part of a dataset on the hub; download them and name them in `path`.")
        names = [str(path.value)]
        files = None
    for offset, name in enumerate(names):
        target = ours % (index + offset)
        draft.put(f"{target}.path", name, path, files)
        _put_form(draft, at, target)
    draft.confirm(draft.get(f"{at}.ds_type"))
    return len(names)


def _put_form(draft: Draft, at: str, target: str) -> None:
    split = draft.get(f"{at}.split")
    if split is not None and split.value is not None:
        draft.put(f"{target}.split", str(split.value), split)
    draft.confirm(split)
    custom = draft.source.below(f"{at}.type")
    if custom:
        _put_custom(draft, at, target)
        return
    kind = draft.get(f"{at}.type")
    word = str(draft.value(f"{at}.type", "")).partition(".")[0].partition(":")[0]
    if word in ("chat_template", "sharegpt", "messages"):
        records.put_conversations(
            draft,
            target,
            kind,
            column=draft.get(f"{at}.field_messages"),
            role=draft.first(f"{at}.message_property_mappings.role", f"{at}.message_field_role"),
            content=draft.first(f"{at}.message_property_mappings.content", f"{at}.message_field_content"),
            usual_column="conversations" if word == "sharegpt" else "messages",
            turns_of="sharegpt" if word == "sharegpt" else "messages",
        )
    elif word in ("alpaca", "alpaca_chat", "alpaca_w_system", "alpaca_w_system2"):
        draft.put(f"{target}.format", "alpaca", kind)
        if kind is not None and kind.value != "alpaca":
            draft.change(kind, f"The prompt of `{kind.value}` is worded otherwise; the format here is plain alpaca.")
    elif word in ("completion", "pretrain"):
        field = draft.first(f"{at}.field", f"{at}.text_column")
        draft.put(f"{target}.format", "text", kind)
        if field is not None and field.value != "text":
            draft.put(f"{target}.columns.text", str(field.value), field)
        draft.confirm(field)
    elif kind is not None and kind.value is not None:
        message = f"There is no format `{kind.value}` here; `auto` recognises the records, so look at the result."
        draft.report(TO_FILL_IN, "warning", message, kind)


def _put_custom(draft: Draft, at: str, target: str) -> None:
    """Set a prompt that the config words itself: its columns can be said, its wording cannot."""
    columns = {
        "field_instruction": "instruction",
        "field_input": "input",
        "field_output": "output",
    }
    draft.put(f"{target}.format", "alpaca", draft.get(f"{at}.type.field_instruction"))
    for name, column in columns.items():
        leaf = draft.get(f"{at}.type.{name}")
        if leaf is not None and leaf.value is not None and leaf.value != column:
            if isinstance(leaf.value, str):
                draft.put(f"{target}.columns.{column}", leaf.value, leaf)
            else:
                refuse(draft, leaf, "the name of a column")
        draft.confirm(leaf)
    for name in ("format", "no_input_format", "system_prompt", "system_format", "field_system"):
        leaf = draft.get(f"{at}.type.{name}")
        if leaf is not None and leaf.value not in (None, ""):
            draft.leave_out(leaf, "The wording of a prompt cannot be said here; the records are taken as alpaca's.")
        draft.confirm(leaf)


STEPS: dict[str, Step] = {
    "objective": objective,
    "method": method,
    "batch": batch,
    "precision": precision,
    "attention": attention,
    "checkpointing": checkpointing,
    "loss": loss,
    "template": template,
    "data": data,
    "evaluation": evaluation,
    "checkpoints": checkpoints,
    "warmup": warmup,
    "tracking": put_mlflow,
}
"""What reads the keys that the table lists under `together`, in this order."""
