"""Which backend a run takes, decided before any of them is imported: one must come before all others."""

import json
import sys
from pathlib import Path

from pydantic import ValidationError

from peft_engine.backends.facts import DeviceKind, backend_facts
from peft_engine.backends.limits import first_conflict
from peft_engine.backends.record import find
from peft_engine.files import write_atomic
from peft_engine.hardware import detect
from peft_engine.packages import versions
from peft_engine.rundir import RunDirectory
from peft_schemas.bench import BackendChoice, BackendMeasurement, BackendName
from peft_schemas.config import ComputeConfig, RunConfig
from peft_schemas.errors import WorkbenchError

CHOICE_FILE = "backend.json"
"""Of the run directory."""

_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "unsloth", "unsloth_zoo", "liger-kernel")
"""Another version of one of them can be faster or slower, so a measurement counts for its versions only."""

_PLAIN: BackendName = "transformers"


def backend_of(run: RunDirectory, config: RunConfig, base: Path | None) -> BackendChoice:
    """Return the backend of a run: the one that it began with, else the one to take, which is kept for its resumes.

    Args:
        run: Where the choice is kept.
        config: The run's config.
        base: The folder of the base model.

    Raises:
        WorkbenchError: As `choose_backend`.
    """
    file = run.path / CHOICE_FILE
    try:
        before = BackendChoice.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        before = None
    if before is not None:
        # Named, so that it is refused where it is not installed any more.
        config = config.model_copy(update={"compute": config.compute.model_copy(update={"backend": before.backend})})
    choice = choose_backend(config, base)
    if before is not None:
        return choice.model_copy(update={"reason": before.reason})
    write_atomic(file, choice.model_dump_json(indent=2) + "\n")
    return choice


def choose_backend(config: RunConfig, base: Path | None) -> BackendChoice:
    """Choose the backend of a run.

    The second one is taken where the config asks for it, or where it is installed in this interpreter, has all that
    the config asks for, and was measured faster on this machine, for this kind of model and with these versions.

    Args:
        config: The run's config.
        base: The folder of the base model.

    Raises:
        WorkbenchError: Unsloth is asked for and not installed (`extra-missing`), or cannot do this (`not-supported`).
    """
    kind, device = training_device(config.compute)
    architecture = describe_architecture(base)
    installed = {name: version for name, version in versions(_LIBRARIES).items() if version is not None}

    def choice(backend: BackendName, reason: str) -> BackendChoice:
        return BackendChoice(
            backend=backend, reason=reason, architecture=architecture, device=device, versions=installed
        )

    asked = config.compute.backend
    if asked == "transformers":
        return choice(_PLAIN, "as the config asks")
    if "unsloth" not in installed:
        if asked == "unsloth":
            raise _not_installed()
        return choice(_PLAIN, "the only training backend installed")
    conflict = first_conflict(config, kind)
    if asked == "unsloth":
        if conflict is not None:
            raise WorkbenchError("not-supported", f"{conflict.sentence}.", conflict.remedy)
        return choice("unsloth", "as the config asks")
    if conflict is not None:
        return choice(_PLAIN, conflict.sentence)
    measured = find(
        architecture=architecture,
        device=device,
        method=config.method.type,
        quantization=config.model.quantization,
        versions=installed,
    )
    return choice(*verdict(measured))


def training_device(compute: ComputeConfig) -> tuple[DeviceKind, str]:
    """Return the kind and the name of the device that a run trains on."""
    report = detect()
    kind = report.kind if compute.device == "auto" else compute.device
    names = [accelerator.name for accelerator in report.accelerators if accelerator.kind == kind]
    return kind, names[0] if names else f"{report.cpu or 'CPU'}, {report.logical_cores} threads"


def describe_architecture(base: Path | None) -> str:
    """Return the kind and size of a base model by its `config.json`, such as `llama, 30 layers, width 576`."""
    if base is None:
        return "unknown"
    try:
        config = json.loads((base / "config.json").read_bytes())
    except (OSError, ValueError):
        return "unknown"
    text = config.get("text_config") or config
    layers, width = text.get("num_hidden_layers", "?"), text.get("hidden_size", "?")
    return f"{text.get('model_type', 'unknown')}, {layers} layers, width {width}"


def verdict(measured: BackendMeasurement | None) -> tuple[BackendName, str]:
    """Return the backend that a measurement speaks for, and why, as part of a sentence; None is for no measurement."""
    if measured is None:
        return _PLAIN, "Unsloth was not measured here for such a run; `peftw bench --backends` does it"
    facts, day = backend_facts().choice, measured.time[:10]
    losses = {each.backend: each.runs[-1].loss for each in measured.backends if each.runs}
    if measured.speed_ratio is None or len(losses) < 2:
        return _PLAIN, f"Unsloth did not train such a run when it was measured on {day}"
    difference = abs(losses["unsloth"] / losses[_PLAIN] - 1)
    if difference > facts.loss_within:
        return _PLAIN, f"the loss with Unsloth was {difference:.0%} off when it was measured on {day}"
    speed = f"measured {measured.speed_ratio:.2f} times as fast on {day}"
    if measured.speed_ratio < facts.faster_by:
        return _PLAIN, f"Unsloth was {speed}"
    speeds = {each.backend: [run.tokens_per_second for run in each.runs] for each in measured.backends}
    if min(speeds["unsloth"]) < max(speeds[_PLAIN]):
        # Other work on the machine slows one run and not the next.
        return _PLAIN, f"the runs that were measured on {day} differ too much to tell"
    return "unsloth", speed


def _not_installed() -> WorkbenchError:
    return WorkbenchError(
        "extra-missing",
        f"`compute.backend: unsloth` cannot be done, because this Python ({sys.executable}) has no Unsloth.",
        "Set `compute.backend: transformers`, or train with a Python that has it: `--python` or PEFTW_PYTHON.",
    )
