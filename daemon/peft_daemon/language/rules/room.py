"""Family `hardware`, part 2: whether a run has room in the memory and on the disk of the machine.

What is computed here is a lower bound, never an estimate: a finding means that the run cannot fit.
"""

import math
from collections.abc import Iterator

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.remedies import four_bits
from peft_daemon.language.rules.subject import Subject
from peft_engine.bounds import bounds
from peft_engine.facts import HardwareFact, ModelFact
from peft_schemas.config import Quantization
from peft_schemas.findings import Finding

_FAMILY = "hardware"
_GIB = 2**30
_SMALL = HardwareFact("cuda", "RTX 3050", (8, 6), 8 * _GIB, 20 * _GIB)
_SEVEN_BILLION = ModelFact("org/model-7b", parameters=7_000_000_000)
_KNOWN = CheckContext(model=_SEVEN_BILLION, hardware=_SMALL)
_BASE = "version: 1\nmodel:\n  base: org/model-7b\ndatasets:\n  - path: org/data\n"


@rule(
    "PW810",
    "warning",
    _FAMILY,
    "The run needs more memory than the device has.",
    why="Weights, gradients and optimizer states alone are larger than the memory, before a single "
    "example is computed.",
    advice="Train an adapter, hold the base in 4 bits, or take a smaller base or a larger device.",
    example="# The GPU of this machine has 8 GiB; this base has 7 billion weights.\n" + _BASE,
    known=_KNOWN,
    source="Transformers docs, model training anatomy; QLoRA (2023)",
)
def memory_too_small(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find runs whose weights and optimizer states surely exceed the device's memory."""
    hardware, device = subject.context.hardware, subject.setting("compute.device")
    if hardware is None or device is None or device.value not in ("auto", hardware.kind):
        return
    needed = _least_bytes(subject)
    base, method = subject.setting("model.base"), subject.setting("method.type")
    if needed is None or base is None or method is None or needed <= hardware.memory_bytes:
        return
    message = (
        f"`{method.value}` on this base needs more than {_gib(needed)}, "
        f"and {hardware.name} has {_gib(hardware.memory_bytes)}."
    )
    quantization = subject.setting("model.quantization")
    fixes = []
    if method.value in ("lora", "dora", "rslora") and quantization is not None and quantization.value == "none":
        least = _least_bytes(subject, quantization="nf4")
        fixes = four_bits(subject) if least is not None and least <= hardware.memory_bytes else []
    yield this.about(subject, message, base, fixes=fixes)


@rule(
    "PW811",
    "warning",
    _FAMILY,
    "The checkpoints and the result need more room than the disk has.",
    why="The run would die while it saves, hours in, with a checkpoint cut off.",
    advice="Keep fewer checkpoints, leave `merge` off, or make room.",
    example="# The disk of this machine has 20 GiB left; this base has 7 billion weights.\n"
    + _BASE
    + "method:\n  type: full\ntraining:\n  learning_rate: 1.0e-5\n",
    known=_KNOWN,
    source="H2O LLM Studio, check_config_for_errors; Transformers docs, save_total_limit",
)
def disk_too_small(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find runs whose whole-model files surely exceed the free disk."""
    hardware, model = subject.context.hardware, subject.context.model
    found = subject.settings("checkpoint.keep", "method.type", "training.optimizer", "export.merge")
    if hardware is None or model is None or model.parameters is None or found is None:
        return
    keep, method, optimizer, merge = found
    copy = model.parameters * bounds().weight_bytes["none"]
    if method.value == "full":
        one = copy + model.parameters * bounds().optimizer_bytes[optimizer.value]
        needed, cause = one * keep.value, keep
        message = f"{keep.value} checkpoints of every weight need more than {_gib(needed)} of disk"
    elif merge.value:
        needed, cause = copy, merge
        message = f"The merged model needs more than {_gib(needed)} of disk"
    else:
        return
    if needed > hardware.free_disk_bytes:
        message = f"{message}, and {_gib(hardware.free_disk_bytes)} are free."
        fewer = math.floor(hardware.free_disk_bytes / (needed / keep.value))
        fixes = subject.set(keep.path, fewer) if cause is keep and fewer >= 1 else []
        yield this.about(subject, message, cause, method, fixes=fixes)


def _least_bytes(subject: Subject, *, quantization: Quantization | None = None) -> float | None:
    """Return a number of bytes below which a run on the device cannot be, None when nothing is known of its base."""
    model = subject.context.model
    found = subject.settings("model.quantization", "method.type", "training.optimizer", "model.dtype")
    if found is None or model is None or model.parameters is None or model.prequantized is not None:
        return None
    held, method, optimizer, dtype = found
    table = bounds()
    packed: Quantization = held.value if quantization is None else quantization
    wider = 2 if dtype.value == "float32" else 1
    weight = table.weight_bytes[packed] * (wider if packed == "none" else 1)
    if method.value == "full":
        gradient = table.weight_bytes["none"] * wider
        weight += gradient + table.optimizer_bytes[optimizer.value]
    return model.parameters * weight


def _gib(number: float) -> str:
    return f"{number / _GIB:.1f} GiB"
