"""Family `hardware`, part 3: several processes that train together."""

from collections.abc import Iterator

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.hardware import device_of, fewer
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_engine.facts import HardwareFact
from peft_schemas.findings import Finding

_FAMILY = "hardware"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
_GIB = 2**30
_CPU = CheckContext(hardware=HardwareFact("cpu", "this machine", None, 16 * _GIB, 100 * _GIB, frozenset()))
_OF_WHOLE_WEIGHTS = frozenset({"adamw_8bit", "paged_adamw_8bit", "adafactor"})
"""Optimizers of which no step was ever made on weights that FSDP has cut."""

_TWO = CheckContext(hardware=HardwareFact("cuda", "A100", (8, 0), 80 * _GIB, 100 * _GIB, devices=2))


@rule(
    "PW830",
    "error",
    _FAMILY,
    "More processes are to train than the machine has devices.",
    why="Each process needs a device of its own: CUDA lets no two of a run share one, and Apple's MPS serves one "
    "process only. The run would stop at its start.",
    advice="Ask for as many processes as there are GPUs. On several machines, start them with torchrun instead.",
    example="# This machine has two GPUs.\n" + _BASE + "compute:\n  processes: 4\n",
    known=_TWO,
    source="PyTorch docs, torchrun; NCCL docs, one device a rank",
)
def too_many_processes(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find more `processes` than devices of the kind that the run trains on."""
    hardware, processes, kind = subject.context.hardware, subject.setting("compute.processes"), device_of(subject)
    if hardware is None or processes is None or kind not in ("cuda", "mps") or kind != hardware.kind:
        return
    devices = 1 if kind == "mps" else hardware.devices
    if devices is not None and processes.value > devices:
        have = "one device" if devices == 1 else f"{devices} devices"
        message = f"{processes.value} processes need as many devices, and this machine has {have} of the kind `{kind}`."
        yield this.about(subject, message, processes, fixes=fewer(subject, devices))


@rule(
    "PW831",
    "warning",
    _FAMILY,
    "Several processes are to share one CPU.",
    why="They share its cores and its memory's bandwidth, which one process uses alone just as well, and each holds "
    "the model anew. It is of use to try out a run that is meant for several GPUs.",
    advice="Train in one process, with a `batch_size` that is larger by as much.",
    example="# This machine has no GPU.\n" + _BASE + "compute:\n  processes: 2\n",
    known=_CPU,
    source="PyTorch docs, DistributedDataParallel",
)
def processes_on_a_cpu(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find several `processes` where the run trains on a CPU."""
    processes, device = subject.setting("compute.processes"), subject.setting("compute.device")
    if processes is None or device is None or processes.value == 1 or device_of(subject) != "cpu":
        return
    message = (
        f"This run trains on a CPU, whose cores {processes.value} processes share: that takes memory and no less time."
    )
    causes = [processes, *([device] if device.is_written else [])]
    yield this.about(subject, message, *causes, fixes=fewer(subject, 1))


@rule(
    "PW832",
    "error",
    _FAMILY,
    "A base that is quantized is to be spread over several processes.",
    why="FSDP cuts each weight into slices, and weights that bitsandbytes packed cannot be cut: accelerate would leave "
    "them whole in every process, so that nothing is gained, or stop.",
    advice="Take `ddp`, with which each process holds the whole packed base, or do without quantization.",
    example=_BASE.replace("base: gpt2", "base: gpt2\n  quantization: nf4")
    + "compute:\n  processes: 2\n  strategy: fsdp\n",
    source="accelerate utils/fsdp_utils.py, fsdp2_prepare_model",
)
def spread_packed_weights(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `fsdp` beside a quantization, however many processes: a launcher such as torchrun may bring them."""
    found = subject.settings("compute.strategy", "model.quantization")
    if found is None:
        return
    strategy, quantization = found
    if strategy.value == "fsdp" and quantization.value != "none":
        message = f"`fsdp` cannot spread weights that are packed as {quantization.value}."
        yield this.about(subject, message, strategy, quantization, fixes=subject.set(strategy.path, "ddp"))


@rule(
    "PW833",
    "information",
    _FAMILY,
    "The model is to be spread over one process.",
    why="FSDP gives each process a part of the model. One process holds all of it, as without FSDP.",
    advice="Raise `processes` to the number of your GPUs, or leave `strategy` out.",
    example=_BASE + "compute:\n  strategy: fsdp\n",
    source="PyTorch docs, fully_shard",
)
def spread_over_one(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `fsdp` where one process trains."""
    found = subject.settings("compute.strategy", "compute.processes")
    if found is None:
        return
    strategy, processes = found
    if strategy.value == "fsdp" and strategy.is_written and processes.value == 1:
        message = "`fsdp` spreads a model over several processes, and this run has one."
        causes = [strategy, *([processes] if processes.is_written else [])]
        yield this.about(subject, message, *causes, fixes=subject.set(strategy.path, "ddp"))


@rule(
    "PW834",
    "error",
    _FAMILY,
    "The optimizer cannot work on weights that are spread over several processes.",
    why="FSDP gives the optimizer slices of weights. The 8-bit optimizers of bitsandbytes and Transformers' Adafactor "
    "compute with whole ones only, and stop at the first step.",
    advice="Take `adamw` or `sgd`, whose state is spread like the weights, or `ddp`, which cuts nothing.",
    example=_BASE + "training:\n  optimizer: adamw_8bit\ncompute:\n  processes: 2\n  strategy: fsdp\n",
    source="Axolotl utils/schemas/validation.py, check_fsdp2_w_8bit_optimizer; tried with bitsandbytes 0.50 and "
    "Transformers 5",
)
def spread_optimizer(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `fsdp` of several processes beside an optimizer that needs whole weights."""
    found = subject.settings("compute.strategy", "compute.processes", "training.optimizer")
    if found is None:
        return
    strategy, processes, optimizer = found
    if strategy.value == "fsdp" and processes.value > 1 and optimizer.value in _OF_WHOLE_WEIGHTS:
        message = f"`{optimizer.value}` cannot work on the slices of weights that `fsdp` gives it."
        yield this.about(subject, message, strategy, optimizer, fixes=subject.set(optimizer.path, "adamw"))
