"""LLaMA-Factory: keys that only mean something together, and datasets named in `dataset_info.json`."""

from collections.abc import Mapping

from peft_engine.config.foreign import records
from peft_engine.config.foreign.convert import AT_THE_END, switched_on, texts, translate_word, truth, whole
from peft_engine.config.foreign.dataset_info import dataset_info, put_described
from peft_engine.config.foreign.draft import CONTRADICTION, TO_FILL_IN, UNUSABLE, Draft, Step
from peft_engine.config.foreign.loop import (
    put_cadence,
    put_holdout,
    put_precision,
    put_warmup,
)
from peft_engine.config.foreign.method import Adapter, put_adapter, put_full, put_targets
from peft_engine.config.foreign.source import Leaf
from peft_engine.config.foreign.tracking import put_reported


def objective(draft: Draft) -> None:
    """Read the stage: supervised fine-tuning, or learning from plain text."""
    stage = draft.get("stage")
    draft.confirm(stage)
    if stage is None or stage.value in (None, "sft"):
        return
    if stage.value == "pt":
        draft.put("training.completion_only_loss", False, stage)
        return
    message = f"The language describes supervised fine-tuning; the stage `{stage.value}` is another objective."
    draft.report(UNUSABLE, "error", message, stage)


def method(draft: Draft) -> None:
    """Read the method with the packing of the base. The scale is twice the rank when it is not written."""
    kind = draft.get("finetuning_type")
    word = draft.value("finetuning_type", "lora")
    bits = whole(draft, draft.get("quantization_bit"))
    draft.confirm(draft.get("quantization_bit"), draft.get("lora_target"))
    if word == "full":
        put_full(draft, kind)
        draft.confirm(draft.get("lora_alpha"))
        return
    if word != "lora":
        draft.report(UNUSABLE, "error", f"There is no method `{word}` here; choose one of this language's.", kind)
        return
    if bits not in (None, 4, 8):
        message = f"The base can be held in 4 or 8 bits here, not in {bits}."
        draft.report(UNUSABLE, "error", message, draft.get("quantization_bit"))
    _scale(draft)
    packing = draft.get("quantization_type")
    put_adapter(
        draft,
        Adapter(
            made_of=(kind,),
            bits=4 if bits == 4 else 8 if bits == 8 else 0,
            bits_from=(draft.get("quantization_bit"),),
            packing="fp4" if packing is not None and packing.value == "fp4" else "nf4",
            packing_from=packing,
            dora=draft.get("use_dora"),
            rslora=draft.get("use_rslora"),
            pissa=draft.get("pissa_init"),
        ),
    )
    if not put_targets(draft, draft.get("lora_target"), commas=True):
        draft.default("method.target_modules", "all-linear")


def precision(draft: Draft) -> None:
    """Read the number types. `pure_bf16` holds the adapter in bfloat16, too."""
    pure = draft.get("pure_bf16")
    put_precision(draft, switched_on(draft, "bf16", "pure_bf16"), draft.get("fp16"), usual="auto")
    draft.confirm(draft.get("bf16"), pure)


def data(draft: Draft) -> None:
    """Read the training data by its names."""
    packing, neat = draft.get("packing"), draft.get("neat_packing")
    if (packing is not None and packing.value is not None) or truth(neat):
        draft.put("training.packing", truth(packing) or truth(neat), packing, neat)
        if truth(packing) and not truth(neat):
            draft.change(packing, "LLaMA-Factory lets packed examples see each other; here each sees only itself.")
    elif draft.value("stage") == "pt":
        draft.default("training.packing", True)
    draft.confirm(packing, neat)
    index = _put_names(draft, draft.get("dataset"), "datasets")
    if index == 0:
        draft.confirm(draft.get("dataset"))
    records.put_template(draft, draft.get("template"), own=("default", "empty"))


def loss(draft: Draft) -> None:
    """Read which tokens are learned."""
    leaf = draft.get("train_on_prompt")
    if leaf is not None and leaf.value is not None and "training.completion_only_loss" not in draft.settings:
        draft.put("training.completion_only_loss", not truth(leaf), leaf)
    draft.confirm(leaf)


def warmup(draft: Draft) -> None:
    """Read the warmup."""
    put_warmup(draft, draft.get("warmup_steps"), draft.get("warmup_ratio"))


def evaluation(draft: Draft) -> None:
    """Read what is evaluated on, and how often. Nothing is unless a strategy is written."""
    size, named = draft.get("val_size"), draft.get("eval_dataset")
    strategy, steps = draft.first("eval_strategy", "evaluation_strategy"), draft.get("eval_steps")
    own = _put_names(draft, named, "evaluation.datasets")
    held_out = False
    if own and size is not None and size.value:
        message = "`eval_dataset` is written as well, and LLaMA-Factory takes one of the two; it counts here."
        draft.report(CONTRADICTION, "warning", message, size)
    else:
        held_out = put_holdout(draft, size)
    draft.confirm(
        named, size, steps, *(draft.get(name) for name in ("eval_strategy", "evaluation_strategy", "do_eval"))
    )
    if not own and not held_out:
        return
    usual = draft.set_value("training.logging_steps")
    during = put_cadence(draft, "evaluation.every_steps", strategy=strategy, steps=steps, usual="no", usual_steps=usual)
    if not during:
        draft.put("evaluation.every_steps", AT_THE_END, strategy, note="once, at the end")


def checkpoints(draft: Draft) -> None:
    """Read how often a checkpoint is written."""
    strategy = draft.get("save_strategy")
    during = put_cadence(
        draft,
        "checkpoint.every_steps",
        strategy=strategy,
        steps=draft.get("save_steps"),
        usual="steps",
        usual_steps=500,
    )
    if not during:
        draft.put("checkpoint.every_steps", AT_THE_END, strategy, note="once, at the end")


def attention(draft: Draft) -> None:
    """Read how attention is computed."""
    leaf = draft.get("flash_attn")
    if leaf is None or leaf.value is None:
        draft.confirm(leaf)
    elif leaf.value is False:  # `disabled` or `no` in YAML 1.1
        draft.put("model.attention", "eager", leaf)
    else:
        translate_word(draft, leaf, "model.attention", "attention")


def tracking(draft: Draft) -> None:
    """Read the trackers."""
    put_reported(draft, draft.get("report_to"))


def _scale(draft: Draft) -> None:
    alpha, rank = draft.get("lora_alpha"), draft.get("lora_rank")
    draft.default("method.r", 8)
    if alpha is not None and alpha.value:
        number = whole(draft, alpha)
        if number is not None:
            draft.put("method.alpha", number, alpha)
            return
    draft.confirm(alpha)
    twice = 2 * draft.set_value("method.r")
    draft.put("method.alpha", twice, rank, note="LLaMA-Factory's default: twice the rank")


def _put_names(draft: Draft, leaf: Leaf | None, ours: str) -> int:
    names = texts(None if leaf is None else leaf.value)
    folder = str(draft.value("dataset_dir", "data"))
    draft.confirm(draft.get("dataset_dir"))
    info, where = ({}, "") if folder == "ONLINE" or folder.startswith("REMOTE:") else dataset_info(draft.folder, folder)
    amount, most = whole(draft, draft.get("max_samples")), draft.get("max_samples")
    for index, name in enumerate(names):
        target = f"{ours}[{index}]"
        found = info.get(name)
        if isinstance(found, Mapping):
            put_described(draft, leaf, target, found, where, most=amount)
        else:
            draft.put(f"{target}.path", name, leaf)
            if folder != "ONLINE":
                message = f"LLaMA-Factory looks `{name}` up in dataset_info.json, which does not stand beside this "
                message += "file or does not have it; write the path of the data."
                draft.report(TO_FILL_IN, "warning", message, leaf)
        if amount:
            split = draft.settings.get(f"{target}.split")
            word = "" if split is None or "[" in split.value else split.value
            if split is None or word:
                draft.put(f"{target}.split", f"{word}[:{amount}]", most)
    draft.confirm(most)
    return len(names)


STEPS: dict[str, Step] = {
    "objective": objective,
    "method": method,
    "precision": precision,
    "attention": attention,
    "data": data,
    "loss": loss,
    "warmup": warmup,
    "evaluation": evaluation,
    "checkpoints": checkpoints,
    "tracking": tracking,
}
"""What reads the keys that the table lists under `together`, in this order."""
