"""TRL: the flat file of `trl sft --config`, whose keys belong to four dataclasses."""

from peft_engine.config.foreign.convert import AT_THE_END, texts, truth
from peft_engine.config.foreign.draft import CONTRADICTION, Draft, Step
from peft_engine.config.foreign.loop import (
    put_cadence,
    put_precision,
    put_warmup,
)
from peft_engine.config.foreign.method import Adapter, put_adapter, put_full, put_targets, usual_targets
from peft_engine.config.foreign.source import Leaf
from peft_engine.config.foreign.tracking import put_reported


def method(draft: Draft) -> None:
    """Read the method: an adapter only where `use_peft` asks for one."""
    switch = draft.get("use_peft")
    four, eight = draft.get("load_in_4bit"), draft.get("load_in_8bit")
    targets = draft.get("lora_target_modules")
    if not truth(switch):
        put_full(draft, switch)
        draft.confirm(targets, four, eight)
        for leaf in (four, eight):
            if truth(leaf):
                message = "Weights that are packed cannot be trained in full, so this is left out."
                draft.report(CONTRADICTION, "warning", message, leaf)
        return
    if truth(four) and truth(eight):
        message = "`load_in_4bit` is on as well, and both at once cannot be; 4 bits are taken."
        draft.report(CONTRADICTION, "warning", message, eight)
    packing = draft.get("bnb_4bit_quant_type")
    put_adapter(
        draft,
        Adapter(
            made_of=(switch,),
            bits=4 if truth(four) else 8 if truth(eight) else 0,
            bits_from=(four,) if truth(four) else (eight,) if truth(eight) else (),
            packing="fp4" if packing is not None and packing.value == "fp4" else "nf4",
            packing_from=packing,
            dora=draft.get("use_dora"),
            rslora=draft.get("use_rslora"),
        ),
    )
    draft.confirm(four, eight)
    if truth(four):
        draft.default("model.double_quantization", False)
    if not put_targets(draft, targets, commas=True):
        usual_targets(draft)


def precision(draft: Draft) -> None:
    """Read the number types. TRL computes in bfloat16 unless float16 is asked for, on weights of their own type."""
    put_precision(draft, draft.get("bf16"), draft.get("fp16"), usual="bfloat16", weights=False)


def data(draft: Draft) -> None:
    """Read the data: one dataset by its name, or a mixture."""
    amount = 0
    if draft.source.count("datasets"):
        for index in range(draft.source.count("datasets")):
            amount += _put_of_mixture(draft, index, amount)
        draft.confirm(*(draft.get(name) for name in ("dataset_name", "dataset_train_split")))
    elif draft.value("dataset_name") is not None:
        draft.put("datasets[0].path", str(draft.value("dataset_name")), draft.get("dataset_name"))
        split = draft.get("dataset_train_split")
        if split is not None and split.value is not None:
            draft.put("datasets[0].split", str(split.value), split)
    field = draft.get("dataset_text_field")
    if field is not None and field.value not in (None, "text"):
        for index in range(max(amount, 1)):
            draft.put(f"datasets[{index}].columns.text", str(field.value), field)
    draft.confirm(field, draft.get("dataset_name"), draft.get("dataset_train_split"))


def loss(draft: Draft) -> None:
    """Read which tokens are learned: of a prompt and its completion the completion, of conversations everything."""
    prompts, turns = draft.get("completion_only_loss"), draft.get("assistant_only_loss")
    draft.confirm(prompts, turns)
    for leaf in (turns, prompts):
        if leaf is not None and leaf.value is not None and (leaf is prompts or truth(leaf)):
            draft.put("training.completion_only_loss", truth(leaf), leaf)
            return
    draft.change(
        turns,
        "TRL learns every word of a conversation unless `assistant_only_loss` is on; here the assistant's words are "
        "learned. Set `training.completion_only_loss: false` if the data are conversations and all is to be learned.",
    )


def warmup(draft: Draft) -> None:
    """Read the warmup."""
    put_warmup(draft, draft.get("warmup_steps"), draft.get("warmup_ratio"))


def evaluation(draft: Draft) -> None:
    """Read how often is evaluated, on the split that the dataset has for it."""
    strategy, steps, split = draft.get("eval_strategy"), draft.get("eval_steps"), draft.get("dataset_test_split")
    during = put_cadence(
        draft,
        "evaluation.every_steps",
        strategy=strategy,
        steps=steps,
        usual="no",
        usual_steps=draft.set_value("training.logging_steps"),
    )
    size = draft.get("test_split_size")
    draft.confirm(split, size, draft.get("do_eval"))
    if size is not None and size.value:
        draft.put("evaluation.split", size.value, size)
        if not during:
            draft.put("evaluation.every_steps", AT_THE_END, strategy, note="once, at the end")
            message = "TRL would hold this out and never evaluate on it; here it is evaluated once, at the end."
            draft.change(size, message)
        return
    if not during:
        return
    path = draft.settings.get("datasets[0].path")
    if path is not None:
        draft.put("evaluation.datasets[0].path", path.value, *path.leaves)
        draft.put("evaluation.datasets[0].split", str(draft.value("dataset_test_split", "test")), split)


def checkpoints(draft: Draft) -> None:
    """Read how often a checkpoint is written."""
    strategy, steps = draft.get("save_strategy"), draft.get("save_steps")
    during = put_cadence(
        draft, "checkpoint.every_steps", strategy=strategy, steps=steps, usual="steps", usual_steps=500
    )
    if not during:
        draft.put("checkpoint.every_steps", AT_THE_END, strategy, note="once, at the end")


def tracking(draft: Draft) -> None:
    """Read the trackers."""
    put_reported(draft, draft.get("report_to"))


def _put_of_mixture(draft: Draft, position: int, index: int) -> int:
    """Set one dataset of a mixture, or several when it names several files; return how many."""
    at = f"datasets[{position}]"
    path, split, files = draft.get(f"{at}.path"), draft.get(f"{at}.split"), draft.get(f"{at}.data_files")
    by_split = draft.source.below(f"{at}.data_files")
    if by_split:
        files, split = _files_of(draft, by_split, str(draft.value(f"{at}.split", "train"))), None
        draft.confirm(draft.get(f"{at}.split"))
    names = texts(None if files is None else files.value) or texts(draft.value(f"{at}.path"))
    for offset, name in enumerate(names):
        target = f"datasets[{index + offset}]"
        draft.put(f"{target}.path", name, path, files)
        if split is not None and split.value is not None:
            draft.put(f"{target}.split", str(split.value), split)
    return len(names)


def _files_of(draft: Draft, by_split: list[Leaf], split: str) -> Leaf | None:
    """Return the files of a split, and say that those of the others are not read."""
    for leaf in by_split:
        if leaf.name != split:
            draft.leave_out(leaf, f"Of this entry only `{split}` is read.", "information")
    return next((leaf for leaf in by_split if leaf.name == split), None)


STEPS: dict[str, Step] = {
    "method": method,
    "precision": precision,
    "data": data,
    "loss": loss,
    "warmup": warmup,
    "evaluation": evaluation,
    "checkpoints": checkpoints,
    "tracking": tracking,
}
"""What reads the keys that the table lists under `together`, in this order."""
