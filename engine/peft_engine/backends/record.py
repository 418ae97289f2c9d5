"""The measurements of this machine, kept in the state folder.

Only `peftw bench --backends` writes it, because measuring takes minutes and belongs to nobody's run. One that cannot be
read counts as none: then nothing but `transformers` is chosen by itself.
"""

from pathlib import Path

from pydantic import ValidationError

from peft_engine.files import write_atomic
from peft_engine.home import home
from peft_schemas.base import Word
from peft_schemas.bench import BackendMeasurement
from peft_schemas.config import MethodType, Quantization


class _Record(Word):
    measurements: list[BackendMeasurement] = []


def recorded() -> list[BackendMeasurement]:
    """Return every measurement of this machine, the newest last."""
    try:
        return _Record.model_validate_json(_file().read_bytes()).measurements
    except (OSError, ValidationError):
        return []


def find(
    *, architecture: str, device: str, method: MethodType, quantization: Quantization, versions: dict[str, str]
) -> BackendMeasurement | None:
    """Return what was measured of the same kind of run with the same libraries; None where nothing was."""
    wanted = (architecture, device, method, quantization, versions)
    return next((each for each in reversed(recorded()) if _key(each) == wanted), None)


def add(measurement: BackendMeasurement) -> None:
    """Keep a measurement, in the place of an older one of the same kind of run.

    Raises:
        OSError: The state folder cannot be written.
    """
    others = [each for each in recorded() if _key(each) != _key(measurement)]
    write_atomic(_file(), _Record(measurements=[*others, measurement]).model_dump_json(indent=2) + "\n")


def _key(measurement: BackendMeasurement) -> tuple[str, str, MethodType, Quantization, dict[str, str]]:
    return (
        measurement.architecture,
        measurement.device,
        measurement.method,
        measurement.quantization,
        measurement.versions,
    )


def _file() -> Path:
    return home() / "backends.json"
