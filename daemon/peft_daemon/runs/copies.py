"""Where else a run is kept: the bundles that it was exported to, as long as they lie where they were written."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from peft_engine.files import stamp, write_atomic
from peft_engine.rundir import RunDirectory

_FILE = "copies.json"
_COPIES = TypeAdapter(dict[str, int])
"""The bytes of each bundle by its path."""


def record_copy(run: RunDirectory, bundle: Path) -> None:
    """Remember that a bundle holds a run with its artifacts."""
    place = bundle.resolve()
    copies = {**_read(run), str(place): place.stat().st_size}
    write_atomic(run.path / _FILE, _COPIES.dump_json(copies, indent=2).decode() + "\n")


def has_copy(run: RunDirectory) -> bool:
    """Tell whether a bundle of the run is still where it was written, at its full length."""
    return any((found := stamp(path)) is not None and found[0] == size for path, size in _read(run).items())


def _read(run: RunDirectory) -> dict[str, int]:
    try:
        return _COPIES.validate_json((run.path / _FILE).read_bytes())
    except (OSError, ValidationError):
        return {}
