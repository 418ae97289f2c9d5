"""What the worker refuses before it loads anything heavy: what cannot be combined, and what needs a package."""

from importlib import util

from peft_engine.capabilities import TRAINABLE_METHODS, TRAINABLE_QUANTIZATIONS
from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError

_FOUR_BIT = ("nf4", "fp4")
_EIGHT_BIT_OPTIMIZERS = ("adamw_8bit", "paged_adamw_8bit")
_ADAMW = ("adamw", *_EIGHT_BIT_OPTIMIZERS)


def refuse_unsupported(config: RunConfig) -> None:
    """See that this version, in this Python, can do what the config asks.

    Raises:
        WorkbenchError: It cannot (`not-supported`), the sections contradict each other (`config-invalid`), or
            bitsandbytes is missing (`extra-missing`).
    """
    _refuse_unknown(config)
    _refuse_contradictions(config)
    needs = [
        what
        for what, asked in (
            (f"`model.quantization: {config.model.quantization}`", config.model.quantization != "none"),
            (f"`training.optimizer: {config.training.optimizer}`", config.training.optimizer in _EIGHT_BIT_OPTIMIZERS),
        )
        if asked
    ]
    if needs and util.find_spec("bitsandbytes") is None:
        raise WorkbenchError(
            "extra-missing",
            f"{' and '.join(needs)} cannot be done, because this Python has no bitsandbytes.",
            "Install the training extra: `pip install 'peft-workbench[train]'`.",
        )


def refuse_on_device(config: RunConfig, device: str, *, processes: int = 1, devices: int = 1) -> None:
    """See that the device can do what the config asks.

    Args:
        config: The run's config.
        device: The kind of device that is trained on.
        processes: How many processes train on this machine.
        devices: How many devices of the kind it has for them; any number of processes can share a CPU.

    Raises:
        WorkbenchError: It cannot (`not-supported`).
    """
    if device != "cpu" and processes > devices:
        raise WorkbenchError(
            "not-supported",
            f"{processes} processes need a device each, and this run has {devices} of the kind {device}.",
            f"Set `compute.processes: {max(devices, 1)}`.",
        )
    if (config.method.type, config.model.quantization, device) == ("dora", "int8", "cpu"):
        # PEFT moves 8-bit weights to the CPU at each pass, on which bitsandbytes drops their scales.
        raise WorkbenchError(
            "not-supported",
            "DoRA cannot be trained on a base of 8 bits on a CPU.",
            "Set `model.quantization: nf4`, or `method.type: lora`.",
        )


def _refuse_unknown(config: RunConfig) -> None:
    if config.method.type not in TRAINABLE_METHODS:
        raise WorkbenchError(
            "not-supported",
            f"The method {config.method.type} cannot be trained yet.",
            f"Use one of: {', '.join(TRAINABLE_METHODS)}.",
        )
    if config.model.quantization not in TRAINABLE_QUANTIZATIONS:
        raise WorkbenchError(
            "not-supported",
            f"A base held as {config.model.quantization} cannot be trained yet.",
            f"Set `model.quantization` to one of: {', '.join(TRAINABLE_QUANTIZATIONS)}.",
        )


def _refuse_contradictions(config: RunConfig) -> None:
    method, quantization = config.method.type, config.model.quantization
    if method == "qlora" and quantization not in _FOUR_BIT:
        raise _contradiction(
            f"QLoRA trains on a base of 4 bits, but `model.quantization` is {quantization}",
            "Set `model.quantization: nf4`, or `method.type: lora`.",
        )
    if method == "full" and quantization != "none":
        raise _contradiction(
            f"Full fine-tuning changes every weight, and weights packed as {quantization} cannot learn",
            "Set `model.quantization: none`, or `method.type: lora`.",
        )
    if method == "pissa" and quantization != "none":
        raise _contradiction(
            f"PiSSA splits the weights themselves, which is not possible once they are packed as {quantization}",
            "Set `model.quantization: none`, or `method.type: lora`.",
        )
    if config.compute.strategy == "fsdp" and quantization != "none":
        raise _contradiction(
            f"`compute.strategy: fsdp` spreads weights over processes, and weights packed as {quantization} stay whole",
            "Set `compute.strategy: ddp`, or `model.quantization: none`.",
        )
    if config.method.lora_plus_ratio is not None and method == "full":
        raise _contradiction(
            "`method.lora_plus_ratio` speeds up one matrix of an adapter, and full fine-tuning has no adapter",
            "Leave out `method.lora_plus_ratio`, or set `method.type: lora`.",
        )
    if config.method.lora_plus_ratio is not None and config.training.optimizer not in _ADAMW:
        raise _contradiction(
            f"`method.lora_plus_ratio` goes with AdamW, and the optimizer is {config.training.optimizer}",
            "Set `training.optimizer: adamw`, or leave out `method.lora_plus_ratio`.",
        )
    evaluates = bool(config.evaluation.datasets) or config.evaluation.split > 0
    for asked, key in (
        (config.training.early_stopping_patience is not None, "training.early_stopping_patience"),
        (config.checkpoint.load_best, "checkpoint.load_best"),
    ):
        if asked and not evaluates:
            raise _contradiction(
                f"`{key}` goes by the evaluation loss, but nothing is evaluated",
                "Set `evaluation.split` or `evaluation.datasets`.",
            )


def _contradiction(what: str, remedy: str) -> WorkbenchError:
    return WorkbenchError("config-invalid", f"{what}.", remedy)
