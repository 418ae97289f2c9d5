"""What is known of the machine, and how fit the installation is."""

from typing import Literal

from peft_schemas.base import Word


class Accelerator(Word):
    """A device that can train beside the CPU."""

    kind: Literal["cuda", "mps"]
    name: str
    total_memory_bytes: int | None
    free_memory_bytes: int | None
    driver: str | None


class HardwareReport(Word):
    """The machine, every field present or null with a reason among `notes`."""

    platform: str
    cpu: str | None
    physical_cores: int | None
    logical_cores: int
    total_memory_bytes: int
    free_memory_bytes: int
    free_disk_bytes: int
    """On the disk that holds the state folder."""

    accelerators: list[Accelerator]
    kind: Literal["cuda", "mps", "cpu"]
    """The best device found."""

    notes: list[str]
    """One sentence for each part that could not be read or is absent."""


class DoctorCheck(Word):
    """One line of `peftw doctor`."""

    name: str
    status: Literal["pass", "warn", "fail"]
    message: str
    remedy: str | None = None


class DoctorReport(Word):
    """Whether this installation can check, train and serve."""

    version: str
    python: str
    home: str
    """The state folder."""

    checks: list[DoctorCheck]
