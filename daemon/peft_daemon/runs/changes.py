"""What a run began with that is another thing now."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from peft_daemon.language.check import check_file
from peft_engine.files import sha256, write_atomic
from peft_engine.home import models_dir
from peft_engine.packages import versions
from peft_engine.rundir import RunDirectory
from peft_schemas.errors import WorkbenchError
from peft_schemas.runs import ChangedInput


def changed_inputs(run: RunDirectory, python: str) -> list[ChangedInput]:
    """Compare what a run began with, as its directory records it, with what is there now.

    The config is compared value by value, so that a comment is no change, and files by their hashes. A run that
    ended before it recorded anything has nothing that could have changed.

    Args:
        run: The run.
        python: The interpreter that would train on.
    """
    changes = list(_config(run))
    try:
        record: dict[str, Any] = json.loads(run.environment.read_bytes())
    except FileNotFoundError:
        return changes
    except (OSError, ValueError):
        # Whether anything else changed cannot be known.
        return [*changes, ChangedInput(what="environment", name=run.environment.name, before=None, after="damaged")]
    changes += _files("dataset", {entry["path"]: entry["sha256"] for entry in record.get("datasets", [])})
    changes += _base(record.get("base", {}))
    changes += _packages(record.get("packages", {}), python)
    return changes


def take_as_they_are(run: RunDirectory, changes: Sequence[ChangedInput]) -> None:
    """Record that data and base are to be taken as they are now, so that the next worker sees no change in them.

    Raises:
        OSError: The disk is full.
    """
    now = {change.name: change.after for change in changes if change.what in ("dataset", "base")}
    try:
        record = json.loads(run.environment.read_bytes())
        for entry in record["datasets"]:
            entry["sha256"] = now.get(entry["path"]) or entry["sha256"]
        base = record["base"]
        base["sha256"] = {
            name: now.get(str(Path(base["folder"]) / name)) or before for name, before in base["sha256"].items()
        }
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        # Nothing was recorded, or it is damaged: the next worker has nothing to compare with.
        return
    write_atomic(run.environment, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _config(run: RunDirectory) -> Iterator[ChangedInput]:
    path = Path(run.read_state().config_path)
    try:
        if path.read_bytes() == run.source.read_bytes():
            return
        began: dict[str, Any] = run.read_resolved()["config"]
        checked = check_file(path)
    except (OSError, ValueError, KeyError, WorkbenchError):
        # The file was moved or removed since; what the run began with is in its directory.
        return
    if checked.resolved is None:
        yield ChangedInput(what="config", name=path.name, before="without errors", after="with errors")
        return
    before, after = dict(_values(began)), dict(_values(checked.resolved.config.model_dump(mode="json")))
    for key in sorted(before.keys() | after.keys()):
        # Where measurements are sent changes nothing of what is trained.
        if not key.startswith("tracker.") and before.get(key) != after.get(key):
            yield ChangedInput(what="config", name=key, before=before.get(key), after=after.get(key))


def _values(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _values(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value, ensure_ascii=False)


def _base(began: Mapping[str, Any]) -> Iterator[ChangedInput]:
    folder = Path(began.get("folder", ""))
    if folder.is_relative_to(models_dir()) and not folder.is_dir():
        # Made ready to train by ourselves, and will be again.
        return
    yield from _files("base", {str(folder / name): digest for name, digest in began.get("sha256", {}).items()})


def _files(what: Literal["dataset", "base"], began: Mapping[str, str]) -> Iterator[ChangedInput]:
    for path, before in began.items():
        after = sha256(Path(path)) if Path(path).is_file() else None
        if after != before:
            yield ChangedInput(what=what, name=path, before=before, after=after)


def _packages(began: Mapping[str, str | None], python: str) -> Iterator[ChangedInput]:
    there = versions(began, python)
    for name, before in began.items():
        if there.get(name) != before:
            yield ChangedInput(what="environment", name=name, before=before, after=there.get(name))
