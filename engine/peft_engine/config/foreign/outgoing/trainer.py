"""What is said in the Transformers Trainer's words."""

from peft_engine.config.foreign.outgoing.letter import Letter
from peft_engine.config.foreign.outgoing.tracking import write_reported


def put_schedule(letter: Letter) -> None:
    """Write the warmup, the cadences and the trackers."""
    training = letter.config.training
    if training.warmup_ratio:
        letter.put("warmup_ratio", training.warmup_ratio, "training.warmup_ratio", "training.warmup_steps")
    else:
        letter.put("warmup_steps", training.warmup_steps, "training.warmup_steps")
    letter.put("save_steps", letter.config.checkpoint.every_steps, "checkpoint.every_steps")
    write_reported(letter)


def put_evaluation_cadence(letter: Letter) -> None:
    """Write how often is evaluated."""
    letter.put("eval_strategy", "steps")
    letter.put("eval_steps", letter.config.evaluation.every_steps, "evaluation.every_steps")
    letter.put(
        "per_device_eval_batch_size",
        letter.config.evaluation.batch_size or letter.config.training.batch_size,
        "evaluation.batch_size",
    )


def put_precision(letter: Letter, *, unsaid: str) -> None:
    """Write the two switches for the number type.

    Args:
        letter: The foreign config.
        unsaid: What the tool computes in when neither is written.
    """
    kind = letter.config.training.precision
    if kind == "auto":
        letter.settle("training.precision")
        if unsaid != "auto":
            message = (
                f"`training.precision` is auto, which {letter.table.title} does not have; it computes in {unsaid}."
            )
            letter.differs("training.precision", message)
        return
    letter.put("bf16", kind == "bfloat16", "training.precision")
    letter.put("fp16", kind == "float16")
