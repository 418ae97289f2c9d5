"""What a run takes of the machine, measured beside the loop."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psutil
import pynvml
import torch

_INTERVAL = 1.0
"""Seconds between two looks: asking a GPU's driver takes up to a millisecond, which a fast loop would feel."""


class Resources:
    """Looks at processor, memory and GPU, at most once a second; in between it says what it saw last."""

    def __init__(self, device: torch.device, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to measure.

        Args:
            device: The device that trains.
            clock: Tells the seconds.
        """
        self._clock = clock
        self._process = psutil.Process()
        self._process.cpu_percent()  # The first call only starts the count.
        self._gpu = _handle(device) if device.type == "cuda" else None
        self._seen: dict[str, float] = {}
        self._looked: float | None = None

    def values(self) -> dict[str, float]:
        """Return what was seen; what this machine does not have is not in it.

        Returns:
            `cpu_percent` of one core, since the last look. `machine_memory_share`, 0 to 1, of all programs together.
            Of a GPU: `gpu_percent` (time in which it computed), `gpu_memory_bytes` and `gpu_memory_share` (of all
            programs together), `gpu_celsius`.
        """
        now = self._clock()
        if self._looked is None or now - self._looked >= _INTERVAL:
            self._looked = now
            self._seen = {
                "cpu_percent": self._process.cpu_percent(),
                "machine_memory_share": psutil.virtual_memory().percent / 100,
                **({} if self._gpu is None else gpu_values(self._gpu)),
            }
        return self._seen


def memory_share(values: Mapping[str, float | None]) -> float | None:
    """Return how full the memory is that the run lives in: the GPU's where there is one, else the machine's."""
    return values.get("gpu_memory_share", values.get("machine_memory_share"))


def gpu_values(handle: Any) -> dict[str, float]:
    """Return what the driver says of a GPU, without what it does not know of this one.

    Args:
        handle: The device, as NVML gives it.
    """
    seen: dict[str, float] = {}
    with suppress(pynvml.NVMLError):
        seen["gpu_percent"] = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    with suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        seen["gpu_memory_bytes"] = float(memory.used)
        seen["gpu_memory_share"] = memory.used / memory.total
    with suppress(pynvml.NVMLError):
        seen["gpu_celsius"] = float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
    return seen


def _handle(device: torch.device) -> Any | None:
    """Return NVML's handle of a CUDA device, None where there is no NVIDIA driver.

    By its UUID: NVML counts every device of the machine, and torch only those that CUDA_VISIBLE_DEVICES leaves.
    """
    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    except pynvml.NVMLError:
        return None
