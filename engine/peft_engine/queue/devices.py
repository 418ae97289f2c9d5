"""The devices that a run could compute on, told without torch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from peft_engine.hardware import detect
from peft_engine.settings import DeviceKind
from peft_schemas.config import ComputeConfig

_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Claim:
    """What a run waits for."""

    kind: DeviceKind
    devices: tuple[str, ...]
    """Names of devices, any of which will do: `cpu`, `mps`, `cuda0`, `cuda1`, …"""

    count: int = 1
    """How many of them it needs at once."""


def claim(compute: ComputeConfig) -> Claim:
    """Return what a run with this `compute` section waits for.

    A run of several processes needs as many CUDA devices; elsewhere its processes share one device.
    """
    kind = compute.device if compute.device != "auto" else _first_kind()
    if kind != "cuda":
        return Claim(kind, (kind,))
    devices = tuple(f"cuda{name}" for name in _cuda_names())
    # Where there are too few, what loads the model says so, better than a queue can.
    return Claim(kind, devices, min(compute.processes, len(devices)))


def narrowed(devices: Sequence[str]) -> dict[str, str]:
    """Return the environment variables that let a process see only the CUDA devices that it holds; none for others."""
    names = [device.removeprefix("cuda") for device in devices if device.startswith("cuda")]
    return {_VISIBLE: ",".join(names)} if names else {}


def spoken(device: str) -> str:
    """Return a device's name for people."""
    names = {"cpu": "the CPU", "mps": "the GPU"}
    return names.get(device) or f"GPU {device.removeprefix('cuda')}"


def _first_kind() -> DeviceKind:
    """Return the kind that `auto` will most likely come to."""
    kind = detect().kind
    return "cpu" if kind == "cuda" and _torch_is_for_cpu() else kind


def _torch_is_for_cpu() -> bool:
    """Tell whether this Python's torch is a build without CUDA, which its version says: `2.13.0+cpu`."""
    try:
        return metadata.version("torch").endswith("+cpu")
    except metadata.PackageNotFoundError:
        return False


def _cuda_names() -> list[str]:
    """Return how CUDA calls the devices that this process may see; always at least one."""
    visible = os.environ.get(_VISIBLE)
    if visible is not None:
        names = [name.strip() for name in visible.split(",") if name.strip()]
    else:
        names = [str(n) for n, _ in enumerate(a for a in detect().accelerators if a.kind == "cuda")]
    return names or ["0"]
