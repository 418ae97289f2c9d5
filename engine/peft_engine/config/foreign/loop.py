"""The training loop in the terms of the Transformers Trainer, on which most tools stand."""

from peft_engine.config.foreign.convert import AT_THE_END, number_of, truth
from peft_engine.config.foreign.draft import CONTRADICTION, Draft
from peft_engine.config.foreign.source import Leaf


def put_warmup(draft: Draft, steps: Leaf | None, ratio: Leaf | None) -> None:
    """Set the warmup. Steps below 1 are a share; where both are written the Trainer takes the steps."""
    count, share = number_of(draft, steps), number_of(draft, ratio)
    draft.confirm(steps, ratio)
    if count:
        if share:
            message = f"`{_name(steps)}` is written as well and counts, so this is left out."
            draft.report(CONTRADICTION, "warning", message, ratio)
        if count < 1:
            draft.put("training.warmup_ratio", count, steps)
            message = f"{count} warmup steps is below one step, which {draft.table.title} takes as a share of the run."
            draft.change(steps, message)
        else:
            draft.put("training.warmup_steps", int(count), steps)
    elif share:
        if share >= 1:
            draft.put("training.warmup_steps", int(share), ratio)
            draft.change(ratio, f"A share of {share} is no share; {draft.table.title} takes it as steps.", "warning")
        else:
            draft.put("training.warmup_ratio", share, ratio)


def put_cadence(
    draft: Draft, path: str, *, strategy: Leaf | None, steps: Leaf | None, usual: str, usual_steps: float | None
) -> bool:
    """Set how often something happens; tell whether it happens during the run at all.

    Args:
        draft: The translation.
        path: Our key.
        strategy: The tool's `no`, `epoch`, `steps` or `best`.
        steps: The tool's number of steps; below 1 a share of the run.
        usual: The strategy when none is written.
        usual_steps: The steps when none are written.
    """
    kind = _strategy(strategy, usual)
    draft.confirm(strategy)
    if kind == "no":
        draft.confirm(steps)
        return False
    if kind == "epoch":
        draft.confirm(steps)
        put_every_epoch(draft, path, 1, strategy)
        return True
    if kind == "best":
        draft.change(strategy, "Checkpoints here are written at fixed steps; `load_best` ends with the best of them.")
    count = number_of(draft, steps)
    if count:
        draft.put(path, count if count < 1 else int(count), steps, strategy)
    else:
        draft.confirm(steps)
        if usual_steps is not None:
            draft.default(path, usual_steps)
    return True


def put_every_epoch(draft: Draft, path: str, times: float, *leaves: Leaf | None) -> None:
    """Set a cadence that counts in epochs, as the share of the run that it is."""
    epochs = draft.set_value("training.num_epochs")
    said = "once an epoch" if times == 1 else f"{times:g} times an epoch"
    moments = times * epochs
    if moments > 1:
        draft.put(path, 1 / moments, *leaves, note=said)
    else:
        draft.put(path, AT_THE_END, *leaves, note="once, at the end")


def put_precision(draft: Draft, bf16: Leaf | None, fp16: Leaf | None, *, usual: str, weights: bool = True) -> None:
    """Set the number type from the Trainer's two switches.

    Args:
        draft: The translation.
        bf16: The switch for bfloat16; the word `auto` lets the tool look at the device.
        fp16: The switch for float16.
        usual: The precision when neither is written.
        weights: Whether the tool loads the base weights in that type as well.
    """
    draft.confirm(bf16, fp16)
    leaves: tuple[Leaf | None, ...] = (bf16, fp16)
    if bf16 is not None and bf16.value == "auto":
        kind, leaves = "auto", (bf16,)
        if truth(fp16):
            kind, leaves = "float16", (bf16, fp16)
    elif truth(bf16) or (bf16 is not None and bf16.value == "full"):
        kind, leaves = "bfloat16", (bf16,)
        if truth(fp16):
            message = "`bf16` is on as well, and both at once cannot be; bfloat16 is taken."
            draft.report(CONTRADICTION, "warning", message, fp16)
    elif truth(fp16):
        kind, leaves = "float16", (fp16,)
    else:
        says_no = any(leaf is not None and leaf.value is not None for leaf in (bf16,))
        kind = "float32" if says_no else usual
    given = [leaf for leaf in leaves if leaf is not None and leaf.value is not None]
    if given:
        draft.put("training.precision", kind, *given)
        if weights:
            draft.put("model.dtype", kind, *given)
    else:
        draft.default("training.precision", kind)
        if weights:
            draft.default("model.dtype", kind)


def put_holdout(draft: Draft, leaf: Leaf | None) -> bool:
    """Set what is held out for evaluation, a share or a number of examples; tell whether anything is."""
    size = number_of(draft, leaf)
    draft.confirm(leaf)
    if not size or size < 0:
        return False
    if size < 1:
        draft.put("evaluation.split", size, leaf)
        return True
    if sum(path.startswith("datasets[") and path.endswith(".path") for path in draft.settings) != 1:
        draft.leave_out(leaf, "It counts examples; the language holds out a share, and the total is not known here.")
        return False
    return _hold_out_first(draft, int(size), leaf)


def _hold_out_first(draft: Draft, size: int, leaf: Leaf | None) -> bool:
    """Hold out the first examples of the only dataset, which a split can say."""
    if "datasets[0].split" in draft.settings:
        draft.leave_out(leaf, "It counts examples of a dataset of which a part is taken already.")
        return False
    for path in [path for path in draft.settings if path.startswith("datasets[0].")]:
        draft.put(f"evaluation.{path}", draft.settings[path].value)
    draft.put("datasets[0].split", f"[{size}:]", leaf)
    draft.put("evaluation.datasets[0].split", f"[:{size}]", leaf)
    draft.change(leaf, f"The first {size} examples are held out; {draft.table.title} draws as many at random.")
    return True


def _strategy(leaf: Leaf | None, usual: str) -> str:
    if leaf is None or leaf.value is None:
        return usual
    return "no" if leaf.value is False else str(leaf.value).rpartition(".")[2].lower()


def _name(leaf: Leaf | None) -> str:
    return "" if leaf is None else leaf.name
