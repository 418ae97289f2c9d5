"""What the index says of a run beside its measurements and events: the columns by which it is found, and its files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from peft_daemon.runs.fold import RunFold
from peft_engine.files import folder_bytes
from peft_engine.notes import read_notes
from peft_engine.rundir import RunDirectory
from peft_engine.versions import config_sha256, read_version
from peft_schemas.events import RESTING_STATES, CheckpointEvent, StateFile

_PACKAGES = ("peft-workbench", "torch", "transformers", "peft")
"""Whose versions are shown with a run; the record in its directory has all of them."""

DESCRIBED = (
    *("stamp", "summary", "name", "state", "base", "method", "created", "updated"),
    *("config_sha256", "version", "parent", "pinned", "bytes", "environment"),
)
"""The columns of `runs` that a description fills, in its order."""


@dataclass(frozen=True)
class Description:
    """What is said of a run."""

    columns: tuple[Any, ...]
    """As `DESCRIBED` names them."""

    latest: Mapping[str, float | None]
    artifacts: Mapping[str, str]
    """The hash of each by its path."""

    tags: frozenset[str]
    seconds: float | None
    """Spent in training."""

    def rows(self, key: int) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of a run in each of the tables that hold nothing else of it."""
        return {
            "latest": [(key, *pair) for pair in self.latest.items()],
            "artifacts": [(key, *pair) for pair in self.artifacts.items()],
            "tags": [(tag, key) for tag in sorted(self.tags)],
            "costs": [(key, self.seconds, self.latest.get("tokens"), self.latest.get("energy_joules"))],
        }


def describe(
    run: RunDirectory, state: StateFile, stamp: str, fold: RunFold, seq: int, checkpoints: Iterable[CheckpointEvent]
) -> Description:
    """Read the small files of a run.

    Args:
        run: The run.
        state: As it was settled.
        stamp: Of the directory, taken before any of it was read.
        fold: What its events come to.
        seq: The number of the newest of them.
        checkpoints: Those that it announced.

    Raises:
        OSError: The directory cannot be read.
    """
    notes = read_notes(run)
    summary = fold.summary(run, state, notes, seq)
    config = _json(run.resolved).get("config")
    config = config if isinstance(config, dict) else {}
    version = read_version(run)
    rests = state.state in RESTING_STATES
    columns = (
        # A run that is at work is looked at each time, whatever its directory looks like: its worker may be gone.
        stamp if rests else "",
        summary.model_dump_json(),
        state.name,
        state.state,
        state.base,
        str((config.get("method") or {}).get("type", "")),
        state.created,
        state.updated,
        config_sha256(config) if config else "",
        version.version if version else None,
        version.parent if version else None,
        notes.pinned,
        folder_bytes(run.path) if rests else 0,
        json.dumps(_short(_json(run.environment))),
    )
    kept = {event.path: event.sha256 for event in checkpoints if (run.path / event.path).is_dir()}
    artifacts = {**kept, **(run.read_manifest() or {})}
    return Description(columns, summary.metrics, artifacts, frozenset(notes.tags), summary.elapsed_seconds)


def _short(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what matters of an environment record in a list."""
    packages, git = environment.get("packages"), environment.get("git")
    return {
        "python": str(environment.get("python", "")).partition(" ")[0],
        "packages": {name: packages.get(name) for name in _PACKAGES} if isinstance(packages, dict) else {},
        "seed": environment.get("seed"),
        "git": git.get("commit") if isinstance(git, dict) else None,
    }


def _json(path: Path) -> dict[str, Any]:
    """Return the content of a file that should hold an object; a missing or damaged one holds nothing."""
    try:
        found = from_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
