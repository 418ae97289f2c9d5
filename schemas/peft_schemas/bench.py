"""What was measured of the training backends on this machine, as `peftw bench --backends --json` prints it."""

from typing import Literal

from peft_schemas.base import Word
from peft_schemas.config import MethodType, Quantization
from peft_schemas.errors import ErrorReport

BackendName = Literal["transformers", "unsloth"]


class BackendChoice(Word):
    """Which backend trains a run, and what the choice depended on."""

    backend: BackendName
    reason: str
    """Why, as the rest of a sentence."""

    architecture: str
    """Kind and size of the base model: type, layers and width."""

    device: str
    """The name of the device that trains."""

    versions: dict[str, str]
    """Of the libraries that train, in the interpreter that trains."""


class BackendRun(Word):
    """One measured run."""

    tokens_per_second: float
    """Of the steps after the first ones."""

    peak_memory_bytes: int
    """Of the device's memory on a GPU, else of the whole process, its libraries included."""

    loss: float
    """Of the last step, in nats a trained token."""


class MeasuredBackend(Word):
    """All runs with one backend."""

    backend: BackendName
    runs: list[BackendRun]
    error: ErrorReport | None = None
    """Why there are no runs."""


class BackendMeasurement(Word):
    """Every backend measured on one config, one after the other and in turn."""

    time: str
    base: str
    architecture: str
    device: str
    device_kind: Literal["cpu", "cuda", "mps"]
    method: MethodType
    quantization: Quantization
    versions: dict[str, str]
    steps: int
    backends: list[MeasuredBackend]
    speed_ratio: float | None
    """Tokens a second with Unsloth over those with transformers; None where one of them was not measured."""

    memory_ratio: float | None
    """Peak memory with Unsloth over that with transformers."""


class BackendReport(Word):
    """What is known of the backends on this machine."""

    measurements: list[BackendMeasurement]
    """Newest last. With a config only the one that was just made."""

    notes: list[str]
    """What was not measured and why, a sentence each."""
