"""Model versions: each completed run of a name makes one, by a rule, once, and with no server to ask.

`version.json` beside the artifact is the truth. The highest version of a name is kept apart as well, so that a number
is not given a second time after its run was removed.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from peft_engine.config.schema import walk
from peft_engine.files import write_atomic
from peft_engine.home import home
from peft_engine.profiles import read_data
from peft_engine.rundir import RunDirectory, list_runs
from peft_schemas.base import Word
from peft_schemas.events import EVENT, CompletedEvent, EvaluationEvent, MetricEvent
from peft_schemas.records import VersionRecord

FILE = "version.json"
_FIRST = "1.0.0"


class VersionRules(Word):
    """The content of `versions.yaml`: the keys, or whole sections, that raise more or less than the minor part."""

    major: list[str] = Field(min_length=1)
    patch: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _keys_exist(self) -> "VersionRules":
        known = {path for path, _ in walk()}
        if unknown := {*self.major, *self.patch} - known:
            raise ValueError(f"no such keys: {', '.join(sorted(unknown))}")
        return self


@cache
def version_rules() -> VersionRules:
    """Return the rules that ship with the profiles.

    Raises:
        pydantic.ValidationError: The file does not have the shape that it must have.
    """
    return VersionRules.model_validate(read_data("versions.yaml"))


def read_version(run: RunDirectory) -> VersionRecord | None:
    """Return the version that a run made, None when it made none or the file is damaged."""
    return _read(run.path / FILE)


def claim_version(run: RunDirectory) -> VersionRecord | None:
    """Give a completed run its version, unless it has one.

    Whoever comes first does it: the worker after its last word, or, where it was killed just then, the next one who
    lists the runs. Runs of one name take turns.

    Returns:
        The run's version; None when it has not completed, or its record is too damaged to compare.

    Raises:
        OSError: The disk is full. The next one to ask tries again.
    """
    if (there := read_version(run)) is not None:
        return there
    draft = _draft(run)
    if draft is None:
        return None
    with _only_one_of(draft.name):
        if (there := read_version(run)) is not None:
            return there
        record = follow(draft, newest_version(draft.name))
        # The number is spent before it is given: a crash between the two leaves a gap, never a number given twice.
        _spend(record)
        write_atomic(run.path / FILE, record.model_dump_json(indent=2) + "\n")
        return record


def adopt_version(run: RunDirectory) -> VersionRecord | None:
    """Let a run that came from elsewhere keep its version, or give it the next one where another run here has that."""
    record = read_version(run)
    if record is None:
        return None
    with _only_one_of(record.name):
        newest = newest_version(record.name)
        taken = any(other.version == record.version and other.run_id != run.id for other in _present(record.name))
        if taken or (newest is not None and newest.version == record.version and newest.run_id != run.id):
            record = follow(record, newest)
        record = record.model_copy(update={"run_id": run.id})
        if newest is None or number(record.version) > number(newest.version):
            _spend(record)
        write_atomic(run.path / FILE, record.model_dump_json(indent=2) + "\n")
        return record


def follow(draft: VersionRecord, newest: VersionRecord | None) -> VersionRecord:
    """Return a draft with the version that comes after the newest one of its name."""
    if newest is None:
        return draft.model_copy(update={"version": _FIRST, "parent": None, "change": "first", "changed": []})
    change, changed = compare(newest, draft)
    major, minor, patch = number(newest.version)
    raised = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}[change]
    version = ".".join(map(str, raised))
    return draft.model_copy(update={"version": version, "parent": newest.version, "change": change, "changed": changed})


def compare(before: VersionRecord, after: VersionRecord) -> tuple[Literal["major", "minor", "patch"], list[str]]:
    """Return which part of the version the changes between two runs raise, and the names of what changed."""
    old, new = _leaves(before.config), _leaves(after.config)
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    rules = version_rules()
    other_format = before.formats != after.formats
    other_data = list(before.data.values()) != list(after.data.values())
    named = changed + ["data"] * other_data + ["data format"] * other_format
    if other_format or any(_is_in(key, rules.major) for key in changed):
        return "major", named
    if other_data or not all(_is_in(key, rules.patch) for key in changed):
        return "minor", named
    return "patch", named


def number(version: str) -> tuple[int, int, int]:
    """Return a version as numbers that compare."""
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def newest_version(name: str) -> VersionRecord | None:
    """Return the highest version that was ever given for a name, also where its run was removed since."""
    spent = _read(_spent(name))
    if spent is not None:
        return spent
    return max(_present(name), key=lambda record: number(record.version), default=None)


def list_versions(name: str | None = None) -> list[VersionRecord]:
    """Return the versions whose runs are here, by name, newest first."""
    return sorted(_present(name), key=lambda record: (record.name, *(-part for part in number(record.version))))


def config_sha256(config: Mapping[str, Any]) -> str:
    """Return the hash of an effective config, which does not depend on the order of its keys."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _present(name: str | None) -> Iterator[VersionRecord]:
    for run in list_runs():
        if name is None or run.id.rpartition("-")[0] == name:
            record = read_version(run)
            if record is not None:
                yield record


def _draft(run: RunDirectory) -> VersionRecord | None:
    """Return what a completed run says of itself, with no version yet."""
    artifacts = run.read_manifest()
    completed, metrics = _last_words(run.events)
    if artifacts is None or completed is None:
        return None
    try:
        config = json.loads(run.resolved.read_bytes())["config"]
        environment = json.loads(run.environment.read_bytes())
        data = {str(one["path"]): str(one["sha256"]) for one in environment["datasets"]}
        return VersionRecord(
            name=config["name"],
            version=_FIRST,
            run_id=run.id,
            parent=None,
            change="first",
            changed=[],
            completed=completed.time,
            config=config,
            config_sha256=config_sha256(config),
            data=data,
            formats=sorted({str(one["format"]) for one in environment["datasets"]}),
            metrics=metrics,
            artifacts=artifacts,
        )
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def _last_words(path: Path) -> tuple[CompletedEvent | None, dict[str, float | None]]:
    """Return the completion of a run, if that is its end, and its newest metrics.

    Only the lines that matter are validated, because a long run has a million others.
    """
    metric = evaluation = last = b""
    try:
        with path.open("rb") as file:
            for line in file:
                if b'"metric"' in line:
                    metric = line
                elif b'"evaluation"' in line:
                    evaluation = line
                last = line
        end = EVENT.validate_json(last)
        values: dict[str, float | None] = {}
        for line in (metric, evaluation):
            event = EVENT.validate_json(line) if line else None
            if isinstance(event, MetricEvent):
                values.update(event.values)
            if isinstance(event, EvaluationEvent):
                values.update({f"eval_{key}": value for key, value in event.values.items()})
    except (OSError, ValidationError):
        return None, {}
    return (end if isinstance(end, CompletedEvent) else None), values


def _leaves(config: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return every value of a config by its dotted path. A list is one value."""
    leaves: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            leaves.update(_leaves(value, f"{path}{key}."))
        else:
            leaves[f"{path}{key}"] = value
    return leaves


def _is_in(key: str, named: list[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in named)


def _spent(name: str) -> Path:
    return home() / "versions" / f"{name}.json"


def _spend(record: VersionRecord) -> None:
    write_atomic(_spent(record.name), record.model_dump_json(indent=2) + "\n")


def _read(path: Path) -> VersionRecord | None:
    try:
        return VersionRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


@contextmanager
def _only_one_of(name: str) -> Iterator[None]:
    """Hold off others who would give a version of the same name."""
    folder = _spent(name).parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
