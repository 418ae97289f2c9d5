"""Looking at the machine."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from peft_engine.home import home
from peft_schemas.hardware import Accelerator, HardwareReport

_NVIDIA_TOOL = "nvidia-smi"
_NVIDIA_FIELDS = "name,memory.total,memory.free,driver_version"
_NVIDIA_TIMEOUT = 10.0
"""Seconds. A driver that hangs must not hang the editor."""


def detect() -> HardwareReport:
    """Describe the processor, memory, disk and accelerators; what cannot be read is None and has a note."""
    notes: list[str] = []
    memory = psutil.virtual_memory()
    cpu = _cpu_name()
    if cpu is None:
        notes.append("The name of the processor could not be read.")
    cores = psutil.cpu_count(logical=False)
    if cores is None:
        notes.append("The number of physical cores could not be read.")
    accelerators = _nvidia(notes) + _apple(cpu, memory.total)
    return HardwareReport(
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=cpu,
        physical_cores=cores,
        logical_cores=psutil.cpu_count() or 1,
        total_memory_bytes=memory.total,
        free_memory_bytes=memory.available,
        free_disk_bytes=shutil.disk_usage(_existing(home())).free,
        accelerators=accelerators,
        kind=accelerators[0].kind if accelerators else "cpu",
        notes=notes,
    )


def compute_capability() -> tuple[int, int] | None:
    """Return the compute capability of the CUDA devices, such as (8, 0); None when it is unknown or they differ."""
    answer = _ask_nvidia("compute_cap")
    found = {line.strip() for line in (answer or "").splitlines() if line.strip()}
    major, _, minor = found.pop().partition(".") if len(found) == 1 else ("", "", "")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


def _existing(path: Path) -> Path:
    """Return the nearest folder that exists: the state folder may not have been made yet."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _cpu_name() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip() or None
    except OSError:
        pass
    return platform.processor() or None


def _nvidia(notes: list[str]) -> list[Accelerator]:
    if shutil.which(_NVIDIA_TOOL) is None:
        notes.append("No NVIDIA driver was found (nvidia-smi is not installed), so there is no CUDA device.")
        return []
    answer = _ask_nvidia(_NVIDIA_FIELDS)
    if answer is None:
        notes.append("nvidia-smi is installed but did not answer, so the CUDA devices could not be read.")
        return []
    return [_nvidia_device(line) for line in answer.splitlines() if line.count(",") >= 3]


def _ask_nvidia(fields: str) -> str | None:
    """Ask the driver's own tool, which is there wherever the driver is, for one line a device."""
    tool = shutil.which(_NVIDIA_TOOL)
    if tool is None:
        return None
    command = [tool, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_NVIDIA_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout


def _nvidia_device(line: str) -> Accelerator:
    name, total, free, driver = (part.strip() for part in line.rsplit(",", 3))
    return Accelerator(
        kind="cuda",
        name=name,
        total_memory_bytes=_mebibytes(total),
        free_memory_bytes=_mebibytes(free),
        driver=driver or None,
    )


def _mebibytes(text: str) -> int | None:
    return int(text) * 1024 * 1024 if text.isdigit() else None


def _apple(cpu: str | None, total_memory: int) -> list[Accelerator]:
    if sys.platform != "darwin" or platform.machine() != "arm64":
        return []
    # The GPU shares the machine's memory, so its share that is free is not a figure of its own.
    return [
        Accelerator(
            kind="mps",
            name=cpu or "Apple GPU",
            total_memory_bytes=total_memory,
            free_memory_bytes=None,
            driver=None,
        )
    ]
