"""What could be removed to gain space, what the user's rules name of it, and removing what a person chose.

Naming is a pure function of an inventory. Nothing is removed but what `remove` is told, and of that only what is at
rest and unpinned at that moment.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from peft_daemon.runs.copies import has_copy
from peft_daemon.runs.judge import settle
from peft_engine.files import folder_bytes
from peft_engine.home import home, runs_dir
from peft_engine.notes import read_notes
from peft_engine.rundir import RunDirectory, find_run, list_runs
from peft_engine.rundir.lock import speaking_for
from peft_engine.settings import Retention, RetentionRule, read_settings
from peft_engine.versions import read_version
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import RESTING_STATES, RunState
from peft_schemas.records import CleanupPlan, CleanupResult, Removable

Kind = Literal["run", "checkpoint", "log"]

_GIGABYTE = 10**9
_REMOVING = ".removing-"
_DONE: frozenset[RunState] = frozenset({"completed", "cancelled"})
"""States that no run is resumed from, so that its checkpoints serve nothing."""

_OFFERED: dict[Kind, str] = {
    "run": "ended",
    "checkpoint": "no run goes on from it",
    "log": "its worker has ended",
}
"""Why something is offered that no rule names."""


@dataclass(frozen=True)
class Item:
    """Something that could be removed."""

    id: str
    run_id: str
    kind: Kind
    bytes: int
    written: float
    """When it was last written, seconds since the epoch."""

    guard: str | None
    """Why no rule may name it, None where one may."""


def cleanup_plan(now: datetime | None = None) -> CleanupPlan:
    """Return what could be removed, and what the settings name of it.

    Args:
        now: The time from which ages are counted, in UTC; None for this moment.

    Raises:
        WorkbenchError: The settings cannot be read (`config-invalid`).
    """
    rules = read_settings().retention
    home().mkdir(parents=True, exist_ok=True)
    return plan(list(inventory()), rules, now or datetime.now(UTC), shutil.disk_usage(home()).free)


def plan(items: Sequence[Item], rules: Retention, now: datetime, free: int) -> CleanupPlan:
    """Return the plan for an inventory.

    Args:
        items: What could be removed.
        rules: The user's.
        now: The time from which ages are counted.
        free: Bytes of free space.
    """
    named: dict[str, str] = {}
    for kind, rule in (("run", rules.runs), ("checkpoint", rules.checkpoints), ("log", rules.logs)):
        named |= _named_by(rule, [item for item in items if item.kind == kind], now)
    going = {item.run_id for item in items if item.kind == "run" and item.id in named}
    # A part of a run that goes as a whole is not counted twice.
    offered = [item for item in items if item.kind == "run" or item.run_id not in going]
    low = is_low(free, rules)
    if low:
        gained = sum(item.bytes for item in offered if item.id in named)
        named |= _named_for_space(offered, named, round(rules.free_gb * _GIGABYTE) - free - gained)
    removable = [
        Removable(
            id=item.id,
            run_id=item.run_id,
            kind=item.kind,
            bytes=item.bytes,
            reason=named.get(item.id) or item.guard or _OFFERED[item.kind],
            preselected=item.id in named,
        )
        for item in offered
    ]
    removable.sort(key=lambda item: (not item.preselected, -item.bytes, item.id))
    gain = sum(item.bytes for item in removable if item.preselected)
    return CleanupPlan(items=removable, bytes=gain, free_bytes=free, low=low)


def is_low(free: int, rules: Retention) -> bool:
    """Tell whether there is less free space, in bytes, than the settings want."""
    return free < rules.free_gb * _GIGABYTE


def inventory() -> Iterator[Item]:
    """Yield what could be removed: runs at rest, and the checkpoints and logs of those. Pinned runs are left out."""
    for run in list_runs():
        try:
            state = settle(run)
            if state.state in RESTING_STATES and not read_notes(run).pinned:
                yield from _items_of(run, state.state, datetime.fromisoformat(state.updated).timestamp())
        except (WorkbenchError, OSError):
            # A directory that goes away or is damaged at this moment is nobody's to remove.
            continue


def remove(ids: Iterable[str]) -> CleanupResult:
    """Remove what a person chose from a plan.

    Each is looked at once more under its run's lock: what was resumed, pinned or removed meanwhile is kept.
    """
    removed: list[str] = []
    kept: list[str] = []
    gained = 0
    # Whole runs first: a part of one that is gone needs nothing more.
    for chosen in sorted(set(ids), key=lambda one: ("/" in one, one)):
        run_id = chosen.partition("/")[0]
        if run_id in removed:
            continue
        count = _remove_one(run_id, chosen)
        if count is None:
            kept.append(chosen)
        else:
            removed.append(chosen)
            gained += count
    _sweep()
    return CleanupResult(removed=removed, bytes=gained, kept=kept)


class DiskWatch:
    """Notices, once each time, that space has become low."""

    def __init__(self) -> None:
        self._was_low = False

    def became_low(self, free: int, rules: Retention) -> bool:
        """Take in the free space, in bytes, and tell whether it is low and was not the last time."""
        low = is_low(free, rules)
        became, self._was_low = low and not self._was_low, low
        return became


def _items_of(run: RunDirectory, state: RunState, updated: float) -> Iterator[Item]:
    only_copy = read_version(run) is not None and not has_copy(run)
    guard = "the only copy of its version" if only_copy else None
    resumable = state not in _DONE
    yield Item(
        run.id, run.id, "run", folder_bytes(run.path), updated, guard or ("paused" if state == "paused" else None)
    )
    checkpoints = sorted(run.checkpoints.glob("step-*"))
    for checkpoint in checkpoints[:-1] if resumable else checkpoints:
        name = checkpoint.relative_to(run.path).as_posix()
        yield Item(f"{run.id}/{name}", run.id, "checkpoint", folder_bytes(checkpoint), checkpoint.stat().st_mtime, None)
    if run.log.is_file():
        found = run.log.stat()
        yield Item(f"{run.id}/{run.log.name}", run.id, "log", found.st_size, found.st_mtime, None)


def _named_by(rule: RetentionRule, items: Sequence[Item], now: datetime) -> dict[str, str]:
    """Return what a rule names, with the reason. What is guarded counts among the newest and is never named."""
    named: dict[str, str] = {}
    kept = 0
    for rank, item in enumerate(sorted(items, key=lambda item: (-item.written, item.id))):
        days = (now.timestamp() - item.written) / 86_400
        reason = None
        if rule.days is not None and days > rule.days:
            reason = f"older than {rule.days:g} days"
        elif rule.count is not None and rank >= rule.count:
            reason = f"beyond the newest {rule.count}"
        elif rule.size_gb is not None and kept + item.bytes > rule.size_gb * _GIGABYTE:
            reason = f"beyond {rule.size_gb:g} GB"
        if reason is None or item.guard is not None:
            kept += item.bytes
        else:
            named[item.id] = reason
    return named


def _named_for_space(items: Sequence[Item], named: dict[str, str], wanted: float) -> dict[str, str]:
    """Return the unguarded parts of runs, largest first, that bring the space that is wanted, or all there are.

    Whole runs are offered for space but not named: they hold what cannot be had again.
    """
    more: dict[str, str] = {}
    parts = [item for item in items if item.kind != "run" and item.guard is None and item.id not in named]
    for item in sorted(parts, key=lambda item: (-item.bytes, item.id)):
        if wanted <= 0:
            break
        more[item.id] = "the disk is nearly full"
        wanted -= item.bytes
    return more


def _remove_one(run_id: str, chosen: str) -> int | None:
    """Remove one item and return its bytes; None when it is not to be had."""
    try:
        run = find_run(run_id)
        settle(run)
        with speaking_for(run):
            state = run.read_state()
            if state.state not in RESTING_STATES or read_notes(run).pinned:
                return None
            found = {item.id: item for item in _items_of(run, state.state, 0.0)}.get(chosen)
            if found is None:
                return None
            # Renamed first: a half-removed folder must look neither like a run nor like a checkpoint.
            path = runs_dir() / chosen
            path.rename(_doomed(path))
    except (WorkbenchError, OSError):
        return None
    _delete(_doomed(path))
    return found.bytes


def _doomed(path: Path) -> Path:
    return path.with_name(f"{_REMOVING}{path.name}")


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sweep() -> None:
    """Remove what a removal that was killed left behind."""
    for leftover in [*runs_dir().glob(f"{_REMOVING}*"), *runs_dir().glob(f"*/checkpoints/{_REMOVING}*")]:
        _delete(leftover)
