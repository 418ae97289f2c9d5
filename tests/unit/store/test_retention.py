"""What may go, what is named, and what is removed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from peft_daemon.runs.copies import record_copy
from peft_daemon.runs.retention import Item, cleanup_plan, inventory, plan, remove
from peft_engine.notes import write_notes
from peft_engine.process import ProcessIdentity
from peft_engine.rundir import RunDirectory
from peft_engine.settings import Retention, RetentionRule
from peft_engine.versions import claim_version
from peft_schemas.records import CleanupPlan, RunNotes

MakeRun = Callable[..., RunDirectory]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def item(name: str, *, age: float = 0, size: int = 1, guard: str | None = None, **fields: Any) -> Item:
    written = (NOW - timedelta(days=age)).timestamp()
    return Item(id=name, run_id=name, kind="run", bytes=size, written=written, guard=guard, **fields)


def named(found: CleanupPlan) -> set[str]:
    return {one.id for one in found.items if one.preselected}


def settings(home: Path, text: str) -> None:
    (home / "settings.yaml").write_text(text)


def checkpoint(run: RunDirectory, step: int, size: int = 1000) -> str:
    folder = run.checkpoints / f"step-{step:06d}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(bytes(size))
    return f"{run.id}/checkpoints/{folder.name}"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (RetentionRule(), set()),
        (RetentionRule(days=10), {"old"}),
        (RetentionRule(days=20), set()),
        (RetentionRule(count=1), {"mid", "old"}),
        (RetentionRule(count=0), {"new", "mid", "old"}),
        (RetentionRule(size_gb=3e-9), {"old"}),
        (RetentionRule(count=2, days=5), {"mid", "old"}),
    ],
)
def test_H23_a_rule_names_exactly_what_is_beyond_it(rule: RetentionRule, expected: set[str]) -> None:
    items = [item("old", age=20, size=2), item("new", age=0, size=1), item("mid", age=10, size=2)]
    assert named(plan(items, Retention(runs=rule, free_gb=0), NOW, 0)) == expected


def test_H23_age_is_counted_from_the_given_time() -> None:
    items, rules = [item("run", age=1)], Retention(runs=RetentionRule(days=30), free_gb=0)
    assert named(plan(items, rules, NOW + timedelta(days=29), 0)) == set()
    assert named(plan(items, rules, NOW + timedelta(days=29, seconds=1), 0)) == {"run"}


def test_H22_what_is_pinned_is_no_item_and_the_only_copy_of_a_version_is_never_named(
    make_run: MakeRun, home: Path, tmp_path: Path
) -> None:
    pinned, only, copied, failed = make_run(), make_run(), make_run(), make_run(state="failed")
    write_notes(pinned, RunNotes(pinned=True))
    for run in (only, copied):
        claim_version(run)
    bundle = tmp_path / "copied.tar.gz"
    bundle.write_bytes(b"bundle")
    record_copy(copied, bundle)
    settings(home, "retention: {runs: {count: 0}}")
    found = cleanup_plan()
    assert named(found) == {copied.id, failed.id}
    assert pinned.id not in {one.run_id for one in found.items}
    assert {one.reason for one in found.items if one.id == only.id} == {"the only copy of its version"}
    bundle.unlink()
    assert named(cleanup_plan()) == {failed.id}


def test_H22_low_space_names_the_largest_parts_that_are_enough_and_no_whole_run(make_run: MakeRun) -> None:
    run, other = make_run(), make_run(state="failed")
    small, large = checkpoint(run, 1, 1000), checkpoint(run, 2, 9000)
    checkpoint(other, 1, 50_000)
    items = list(inventory())
    found = plan(items, Retention(free_gb=1e-5), NOW, free=4000)
    assert found.low
    assert named(found) == {large}
    assert named(plan(items, Retention(free_gb=1e-5), NOW, free=500)) == {large, small}
    assert named(plan(items, Retention(free_gb=1e-5), NOW, free=10_000)) == set()


def test_the_newest_checkpoint_of_a_run_that_can_be_resumed_is_not_offered(make_run: MakeRun) -> None:
    paused, done = make_run(state="paused"), make_run()
    old, _newest, of_done = checkpoint(paused, 1), checkpoint(paused, 2), checkpoint(done, 1)
    offered = {one.id for one in cleanup_plan().items if one.kind == "checkpoint"}
    assert offered == {old, of_done}


def test_a_run_at_work_is_neither_offered_nor_removed(make_run: MakeRun) -> None:
    run = make_run(state="running")
    me = ProcessIdentity.current()
    run.write_state(run.read_state().model_copy(update={"pid": me.pid, "started": me.started}))
    checkpoint(run, 1)
    assert cleanup_plan().items == []
    assert remove([run.id, f"{run.id}/checkpoints/step-000001"]).removed == []
    assert run.checkpoints.is_dir()


def test_H23_what_the_dry_run_lists_is_what_is_removed(make_run: MakeRun, home: Path) -> None:
    gone, kept = make_run(state="failed"), make_run(state="completed")
    checkpoint(gone, 1), checkpoint(gone, 2)
    part = checkpoint(kept, 1)
    claim_version(kept)
    settings(home, "retention: {runs: {count: 0}, checkpoints: {count: 0}}")
    before = cleanup_plan()
    assert named(before) == {gone.id, part}
    result = remove(named(before))
    assert (set(result.removed), result.kept, result.bytes) == (named(before), [], before.bytes)
    assert not gone.path.exists()
    assert kept.adapter.is_dir()
    assert named(cleanup_plan()) == set()
    assert [path.name for path in gone.path.parent.glob(".removing*")] == []


def test_what_was_pinned_since_the_plan_was_shown_is_kept(make_run: MakeRun) -> None:
    run = make_run(state="failed")
    assert run.id in {one.id for one in cleanup_plan().items}
    write_notes(run, RunNotes(pinned=True))
    result = remove([run.id])
    assert (result.removed, result.kept) == ([], [run.id])
    assert run.path.is_dir()


@pytest.mark.parametrize(
    "chosen", ["../outside", "demo-1/../../outside", "demo-1/state.json", "demo-1/adapter", "", "demo-9"]
)
def test_nothing_but_what_was_offered_can_be_removed(make_run: MakeRun, home: Path, chosen: str) -> None:
    run = make_run()
    outside = home / "outside"
    outside.mkdir()
    assert remove([chosen]).kept == [chosen]
    assert outside.is_dir() and run.adapter.is_dir() and run.read_state()


def test_damaged_notes_keep_a_run(make_run: MakeRun, home: Path) -> None:
    run = make_run(state="failed")
    (run.path / "notes.json").write_text("{")
    settings(home, "retention: {runs: {count: 0}}")
    assert cleanup_plan().items == []
    assert remove([run.id]).kept == [run.id]


def test_what_a_killed_removal_left_is_swept_and_was_no_run(make_run: MakeRun, home: Path) -> None:
    run = make_run(state="failed")
    left = run.path.with_name(f".removing-{run.id}")
    run.path.rename(left)
    assert cleanup_plan().items == []
    remove([])
    assert not left.exists()
