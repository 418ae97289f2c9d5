"""Family `hardware`: what the config asks for, against the machine of a local run."""

from collections.abc import Iterator

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.remedies import four_bits, no_quantization, plain_adapter
from peft_daemon.language.rules.subject import Setting, Subject
from peft_engine.bounds import bounds
from peft_engine.capabilities import COMPUTED_TYPES
from peft_engine.facts import HardwareFact
from peft_schemas.findings import Finding, Fix

_FAMILY = "hardware"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
_GIB = 2**30
_CPU = CheckContext(hardware=HardwareFact("cpu", "this machine", None, 16 * _GIB, 100 * _GIB, frozenset()))
_T4 = CheckContext(hardware=HardwareFact("cuda", "Tesla T4", (7, 5), 15 * _GIB, 100 * _GIB))
_A100 = CheckContext(hardware=HardwareFact("cuda", "A100", (8, 0), 80 * _GIB, 100 * _GIB))


def _with_model(*lines: str) -> str:
    return _BASE.replace("base: gpt2", "base: gpt2\n  " + "\n  ".join(lines))


@rule(
    "PW801",
    "error",
    _FAMILY,
    "The device that the config asks for is not in this machine.",
    why="The run would stop at its start, or train elsewhere than you think.",
    advice="Leave `device` at `auto`, which takes what is there.",
    example="# This machine has no GPU.\n" + _BASE + "compute:\n  device: cuda\n",
    known=_CPU,
    source="PyTorch docs, torch.cuda.is_available",
)
def absent_device(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `device` that the machine lacks."""
    hardware, device = subject.context.hardware, subject.setting("compute.device")
    if hardware is not None and device is not None and device.value not in ("auto", "cpu", hardware.kind):
        message = f"This machine has no `{device.value}` device."
        yield this.about(subject, message, device, fixes=_what_is_there(subject, device, hardware))


def _what_is_there(subject: Subject, device: Setting, hardware: HardwareFact) -> list[Fix]:
    """Return the fix that trains on the machine's own device, with no more processes than there are of it."""
    processes = subject.setting("compute.processes")
    devices = hardware.devices if hardware.kind == "cuda" else 1
    found = subject.set(device.path, "auto")
    if processes is None or devices is None or processes.value <= devices:
        return found
    title = f"Set `{device.path}` to `auto` and `{processes.path}` to `{devices}`"
    both = zip(found, fewer(subject, devices), strict=False) if processes.is_written else ()
    return [Fix(title=title, edits=[*one.edits, *other.edits]) for one, other in both]


def fewer(subject: Subject, processes: int) -> list[Fix]:
    """Return the fix that lowers `processes`; none where one alone would leave nothing to spread."""
    strategy = subject.setting("compute.strategy")
    if strategy is None or (processes == 1 and strategy.value == "fsdp"):
        return []
    return subject.set("compute.processes", processes)


@rule(
    "PW802",
    "error",
    _FAMILY,
    "bfloat16 is asked for on a GPU that does not compute it.",
    why="GPUs before Ampere (compute capability 8.0) have no bfloat16; Transformers refuses to train with it there.",
    advice="Leave `dtype` and `precision` at `auto`, or take `float16`.",
    example="# The GPU of this machine is a Tesla T4.\n" + _with_model("dtype: bfloat16"),
    known=_T4,
    source="Axolotl schemas/config.py; FastChat issue 399; stanford_alpaca issue 133",
)
def bfloat16_on_old_gpu(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find bfloat16 on a CUDA device of a low compute capability."""
    capability = _capability(subject)
    if capability is None or capability >= tuple(bounds().compute_capability.bfloat16):
        return
    for path in ("model.dtype", "training.precision"):
        setting = subject.setting(path)
        if setting is not None and setting.value == "bfloat16":
            message = f"{_device_name(subject)} has compute capability {_dotted(capability)}; bfloat16 needs 8.0."
            yield this.about(subject, message, setting, fixes=subject.set(path, "auto"))


@rule(
    "PW803",
    "error",
    _FAMILY,
    "FlashAttention 2 is asked for where it cannot run.",
    why="It runs on CUDA devices from Ampere on, and only where its package is installed; the run would stop after the "
    "base is loaded.",
    advice="Leave `attention` at `auto`, take `sdpa`, or install flash-attn for the training interpreter.",
    example=_with_model("attention: flash_attention_2") + "compute:\n  device: cpu\n",
    source="Oumi params/model_params.py; LLaMA-Factory model/model_utils/attention.py; flash-attention README",
)
def flash_attention_unavailable(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `flash_attention_2` on other devices than recent CUDA ones, or without its package."""
    attention, device = subject.setting("model.attention"), device_of(subject)
    if attention is None or attention.value != "flash_attention_2" or device is None:
        return
    hardware, causes = subject.context.hardware, [attention]
    capability = _capability(subject)
    if device != "cuda":
        reason = "needs a CUDA device"
        written = subject.setting("compute.device")
        causes += [written] if written is not None and written.is_written else []
    elif capability is not None and capability < tuple(bounds().compute_capability.flash_attention_2):
        reason = f"needs compute capability 8.0, and {_device_name(subject)} has {_dotted(capability)}"
    elif hardware is not None and hardware.packages is not None and "flash_attn" not in hardware.packages:
        reason = "needs the package flash-attn, which the training interpreter lacks"
    else:
        return
    yield this.about(subject, f"FlashAttention 2 {reason}.", *causes, fixes=subject.set(attention.path, "sdpa"))


@rule(
    "PW804",
    "warning",
    _FAMILY,
    "A GPU is to compute in float32.",
    why="float32 takes twice the memory of 16-bit numbers and leaves the GPU's matrix units unused.",
    advice="Leave `dtype` and `precision` at `auto`, or take `bfloat16`, on older GPUs `float16`.",
    example="# The GPU of this machine is an A100.\n" + _with_model("dtype: float32"),
    known=_A100,
    source="LLaMA-Factory hparams/parser.py; NVIDIA docs, mixed precision training",
)
def no_mixed_precision(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find float32 computing on a CUDA device."""
    found = subject.settings("training.precision", "model.dtype")
    if found is None or device_of(subject) != "cuda" or subject.context.hardware is None:
        return
    precision, dtype = found
    cause = dtype if precision.value == "auto" else precision
    if cause.value == "float32":
        message = f"{_device_name(subject)} computes 16-bit numbers several times faster, in half the memory."
        yield this.about(subject, message, cause, fixes=subject.set(cause.path, "auto"))


@rule(
    "PW805",
    "warning",
    _FAMILY,
    "Packed rows are computed by PyTorch's attention in bfloat16 on a GPU where that was seen to fail.",
    why="Off Hopper GPUs this mix has given a loss of 0.0 without any error.",
    advice="Leave `attention` at `auto`, or take `flash_attention_2`.",
    example="# The GPU of this machine is an A100.\n"
    + _with_model("dtype: bfloat16", "attention: sdpa")
    + "training:\n  packing: true\n",
    known=_A100,
    source="Axolotl schemas/config.py, check_sample_packing_w_sdpa_bf16",
)
def packed_sdpa_in_bfloat16(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find packing with `sdpa` in bfloat16 on CUDA devices other than Hopper's."""
    found = subject.settings("model.attention", "training.packing", "model.dtype", "training.precision")
    capability = _capability(subject)
    if found is None or capability is None or list(capability) == bounds().compute_capability.packed_sdpa_bfloat16:
        return
    attention, packing, dtype, precision = found
    computed = dtype if precision.value == "auto" else precision
    if attention.value == "sdpa" and packing.value and computed.value == "bfloat16":
        message = (
            f"Packed rows in bfloat16 through `sdpa` have given a loss of 0.0 on GPUs like {_device_name(subject)}."
        )
        fixes = subject.set(attention.path, "auto")
        yield this.about(subject, message, attention, packing, computed, fixes=fixes)


@rule(
    "PW806",
    "error",
    _FAMILY,
    "Quantization or an 8-bit optimizer is asked for without bitsandbytes.",
    why="bitsandbytes holds weights and optimizer states in 4 and 8 bits; without it the run stops at its start.",
    advice="Install bitsandbytes for the training interpreter, or do without.",
    example="# The training interpreter has no bitsandbytes.\n" + _BASE + "training:\n  optimizer: adamw_8bit\n",
    known=_CPU,
    source="Transformers docs, bitsandbytes",
)
def bitsandbytes_missing(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find values that need bitsandbytes where the training interpreter lacks it."""
    hardware = subject.context.hardware
    if hardware is None or hardware.packages is None or "bitsandbytes" in hardware.packages:
        return
    quantization, optimizer = subject.setting("model.quantization"), subject.setting("training.optimizer")
    if quantization is not None and quantization.value != "none":
        message = f"`{quantization.value}` needs the package bitsandbytes, which the training interpreter lacks."
        yield this.about(subject, message, quantization, fixes=no_quantization(subject))
    if optimizer is not None and str(optimizer.value).endswith("8bit"):
        message = f"`{optimizer.value}` needs the package bitsandbytes, which the training interpreter lacks."
        yield this.about(subject, message, optimizer, fixes=subject.set(optimizer.path, "adamw"))


@rule(
    "PW807",
    "error",
    _FAMILY,
    "A 16-bit number type is asked for on a device that does not train in it, or only slowly.",
    why="The run would stop at its start: of the 16-bit types a CPU trains in bfloat16 only, and Apple's MPS in "
    "neither. Weights held in float16 are computed far slower than float32 by CPUs and lose small gradients.",
    advice="Leave `dtype` and `precision` at `auto`.",
    example=_BASE + "training:\n  precision: float16\ncompute:\n  device: cpu\n",
    source="PyTorch docs, automatic mixed precision, CPU; Transformers training_args.py",
)
def sixteen_bits_on_device(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `precision` that the run's device does not train in, and float16 weights on a CPU."""
    kind, device = device_of(subject), subject.setting("compute.device")
    if kind is None or device is None:
        return
    written = [device] if device.is_written else []
    dtype, precision = subject.setting("model.dtype"), subject.setting("training.precision")
    if kind == "cpu" and dtype is not None and dtype.value == "float16":
        message = "This run trains on a CPU, which computes float16 far slower than float32."
        fixes = subject.set(dtype.path, "auto")
        yield this.about(subject, message, dtype, *written, fixes=fixes, severity="warning")
    if precision is not None and precision.value not in ("auto", *COMPUTED_TYPES[kind]):
        message = f"This run trains on the device `{kind}`, which does not train in {precision.value}."
        yield this.about(subject, message, precision, *written, fixes=subject.set(precision.path, "auto"))


@rule(
    "PW808",
    "error",
    _FAMILY,
    "DoRA is asked for on a base in 8 bits on a CPU.",
    why="To find the norms that DoRA needs, PEFT moves 8-bit weights to the CPU at each pass, on which bitsandbytes "
    "drops their scales; the run would stop at its start.",
    advice="Hold the base in `nf4`, or choose `lora`.",
    example=_with_model("quantization: int8") + "method:\n  type: dora\ncompute:\n  device: cpu\n",
    source="PEFT tuners/lora/dora.py; bitsandbytes nn/modules.py, Int8Params",
)
def dora_in_8_bits_on_cpu(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `dora` beside `int8` where the run trains on a CPU."""
    found = subject.settings("method.type", "model.quantization", "compute.device")
    if found is None or device_of(subject) != "cpu":
        return
    method, quantization, device = found
    if method.value != "dora" or quantization.value != "int8":
        return
    causes = (method, quantization, *([device] if device.is_written else []))
    message = "`dora` cannot be trained on a base in 8 bits on a CPU."
    yield this.about(subject, message, *causes, fixes=four_bits(subject) + plain_adapter(subject))


def device_of(subject: Subject) -> str | None:
    """Return the kind of device that the run trains on, None when it is not known."""
    device, hardware = subject.setting("compute.device"), subject.context.hardware
    if device is None:
        return None
    if device.value != "auto":
        return str(device.value)
    return None if hardware is None else hardware.kind


def _capability(subject: Subject) -> tuple[int, int] | None:
    hardware = subject.context.hardware
    known = hardware is not None and hardware.kind == "cuda" and device_of(subject) == "cuda"
    return hardware.compute_capability if hardware is not None and known else None


def _device_name(subject: Subject) -> str:
    hardware = subject.context.hardware
    return "this GPU" if hardware is None else hardware.name


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"
