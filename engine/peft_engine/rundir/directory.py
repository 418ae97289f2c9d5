"""The layout of a run directory and its small files."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from peft_engine.files import sha256, sha256_of, stamp, write_atomic
from peft_engine.home import runs_dir
from peft_engine.process import ProcessIdentity
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import ControlFile, StateFile

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*-[0-9]+")


def now() -> str:
    """Return the time as the run files write it: RFC 3339, UTC, milliseconds."""
    return written(datetime.now(UTC))


def written(moment: datetime) -> str:
    """Return a moment in UTC as the run files write it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class RunDirectory:
    """One run's folder. The folder's name is the run's id."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def source(self) -> Path:
        """The config as it was written by the user."""
        return self.path / "config.peft.yaml"

    @property
    def resolved(self) -> Path:
        """Every effective value and its origin."""
        return self.path / "config.resolved.json"

    @property
    def environment(self) -> Path:
        """Versions, hardware and seed."""
        return self.path / "environment.json"

    @property
    def events(self) -> Path:
        """The append-only event log."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """The worker's raw output."""
        return self.path / "worker.log"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        """The finished PEFT adapter."""
        return self.path / "adapter"

    @property
    def gguf(self) -> Path:
        """The finished adapter in GGUF form."""
        return self.path / "adapter.gguf"

    @property
    def merged(self) -> Path:
        """The base with the finished adapter merged into it."""
        return self.path / "merged"

    @property
    def model(self) -> Path:
        """The finished model of a full fine-tuning run."""
        return self.path / "model"

    @property
    def manifest(self) -> Path:
        """The hash of every artifact."""
        return self.path / "manifest.json"

    def read_state(self) -> StateFile:
        """Return the run's state.

        Raises:
            WorkbenchError: The file is missing or damaged (`run-missing`).
        """
        try:
            return StateFile.model_validate_json((self.path / "state.json").read_bytes())
        except (OSError, ValidationError) as error:
            raise WorkbenchError(
                "run-missing",
                f"The state of run {self.id} cannot be read from {self.path / 'state.json'}.",
                "List the runs with `peftw runs list`.",
            ) from error

    def write_state(self, state: StateFile) -> None:
        """Replace the run's state."""
        write_atomic(self.path / "state.json", state.model_dump_json(indent=2) + "\n")

    def read_control(self) -> ControlFile:
        """Return what is asked of the worker; a missing or damaged file asks for nothing."""
        try:
            return ControlFile.model_validate_json((self.path / "control.json").read_bytes())
        except (OSError, ValidationError):
            return ControlFile()

    def write_control(self, control: ControlFile) -> None:
        """Ask something of the worker, which looks at each step edge."""
        write_atomic(self.path / "control.json", control.model_dump_json() + "\n")

    def write_resolved(self, record: dict[str, Any]) -> None:
        """Write what the run does: `config`, `explained` and `source`, with a hash that tells damage to a value."""
        text = json.dumps({**record, "sha256": _digest(record)}, indent=2, ensure_ascii=False)
        write_atomic(self.resolved, text + "\n")

    def read_resolved(self) -> dict[str, Any]:
        """Return what the run does.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is damaged.
        """
        record = json.loads(self.resolved.read_bytes())
        if not isinstance(record, dict) or record.pop("sha256", None) not in (None, _digest(record)):
            raise ValueError("not what was written")
        return record

    def worker(self) -> ProcessIdentity | None:
        """Return the identity of the worker that `state.json` names."""
        state = self.read_state()
        if state.pid is None or state.started is None:
            return None
        return ProcessIdentity(state.pid, state.started)

    def hash_artifacts(self, roots: list[Path]) -> dict[str, str]:
        """Return the SHA-256 of every file under `roots` by its path relative to the run directory."""
        files = sorted(f for root in roots for f in ([root] if root.is_file() else root.rglob("*")) if f.is_file())
        return {file.relative_to(self.path).as_posix(): sha256(file) for file in files}

    def write_manifest(self, hashes: dict[str, str]) -> None:
        """Write the manifest; its presence says that every artifact is complete."""
        write_atomic(self.manifest, json.dumps({"sha256": hashes}, indent=2) + "\n")

    def read_manifest(self) -> dict[str, str] | None:
        """Return the artifacts' hashes, or None when the run has not completed them."""
        try:
            hashes = json.loads(self.manifest.read_bytes())["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return hashes if isinstance(hashes, dict) else None


def create_run_directory(name: str) -> RunDirectory:
    """Make the next free directory of a run name: `<name>-1`, `<name>-2`, … Safe against others who do the same."""
    root = runs_dir()
    root.mkdir(parents=True, exist_ok=True)
    taken = [int(p.name.rsplit("-", 1)[1]) for p in root.glob(f"{name}-*") if _is_number_of(name, p)]
    number = max(taken, default=0) + 1
    while True:
        path = root / f"{name}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        return RunDirectory(path)


def is_run_id(name: str) -> bool:
    """Tell whether a run can be called so; such a name is also safe as that of a folder."""
    return _ID.fullmatch(name) is not None


def find_run(run_id: str) -> RunDirectory:
    """Return the directory of a run.

    Raises:
        WorkbenchError: No run has that id (`run-missing`).
    """
    path = runs_dir() / run_id
    if not is_run_id(run_id) or stamp(path / "state.json") is None:
        raise WorkbenchError("run-missing", f"There is no run {run_id}.", "List the runs with `peftw runs list`.")
    return RunDirectory(path)


def list_runs() -> Iterator[RunDirectory]:
    """Yield every run directory, in no particular order."""
    root = runs_dir()
    if not root.is_dir():
        return
    for path in root.iterdir():
        # A folder of another name is one that is being removed or brought in.
        if is_run_id(path.name) and (path / "state.json").is_file():
            yield RunDirectory(path)


def _digest(record: dict[str, Any]) -> str:
    return sha256_of(json.dumps(record, sort_keys=True).encode())


def _is_number_of(name: str, path: Path) -> bool:
    return path.name[len(name) + 1 :].isdigit()
