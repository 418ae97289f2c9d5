"""Whatever is done to a run, its doer may be killed at any line: it was done, it was not, or it is done again.

`PEFTW_CRASH=1` dies at every line, and not only at some.
"""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from peft_daemon.runs import commands
from peft_daemon.runs.bundle import export_run, import_run
from peft_daemon.runs.judge import settle
from peft_daemon.runs.resume import resume
from peft_daemon.runs.retention import cleanup_plan, remove
from peft_daemon.runs.store import find_runs, read_series
from peft_daemon.runs.store.database import STORE
from peft_engine.home import home as home_folder
from peft_engine.home import queue_dir, runs_dir
from peft_engine.notes import read_notes, write_notes
from peft_engine.queue.devices import Claim
from peft_engine.queue.line import enqueue
from peft_engine.queue.turn import Turn, try_turn
from peft_engine.rundir import EventLog, EventTail, RunDirectory, create_run_directory, list_runs
from peft_engine.rundir.checkpoints import CheckpointStore, intact_checkpoints, last_verified_checkpoint
from peft_engine.rundir.lay_out import lay_out
from peft_engine.versions import claim_version, number, read_version
from peft_schemas.config import RunConfig
from peft_schemas.events import CheckpointEvent, FailedEvent, StateEvent
from peft_schemas.records import RunNotes, RunQuery, SeriesParams
from tests.unit.deaths.deaths import every_death
from tests.unit.store.conftest import CONFIG

MakeRun = Callable[..., RunDirectory]
NOBODY = shutil.which("true") or "/bin/true"
"""An interpreter whose workers end at once."""

GONE = {"pid": 2**22 - 3, "started": 1.0}
"""A worker that is no more."""


@pytest.fixture(autouse=True)
def no_lock_is_left(home: Path) -> Iterator[None]:
    yield
    for lock in home.rglob("*.lock"):
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def log_is_whole(run: RunDirectory) -> None:
    events = EventTail(run.events).read()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


def long_ago(run: RunDirectory) -> None:
    """Let so much time pass that a worker which is not there is not on its way any more."""
    hour = timedelta(hours=1)
    past = (datetime.now(UTC) - hour).isoformat()
    state = run.read_state()
    queued = {"queued": past, "queued_uptime": time.monotonic() - hour.total_seconds()} if state.queued else {}
    run.write_state(state.model_copy(update={"created": past, **queued}))


def fill(folder: Path) -> None:
    (folder / "weights").write_bytes(bytes(100))
    (folder / "deep").mkdir()
    (folder / "deep/state").write_bytes(folder.name.encode())


def take_checkpoint(run: RunDirectory, step: int) -> None:
    """Write, announce and prune, as the worker does."""
    store = CheckpointStore(run, keep=1)
    checkpoint = store.write(step, fill)
    with EventLog(run.events) as log:
        path = checkpoint.path.relative_to(run.path).as_posix()
        log.append(CheckpointEvent, step=step, path=path, sha256=checkpoint.sha256)
    store.prune()


def test_F9_a_worker_killed_while_it_saves_leaves_the_checkpoint_before_or_the_new_one(make_run: MakeRun) -> None:
    def prepare() -> RunDirectory:
        run = make_run(state="failed")
        take_checkpoint(run, 2)
        return run

    seen = set()
    for run in every_death(prepare, lambda run: take_checkpoint(run, 4), few=60):
        newest = last_verified_checkpoint(run)
        announced = max(event.step for event in EventTail(run.events).read() if event.type == "checkpoint")
        assert newest in ("checkpoints/step-000002", "checkpoints/step-000004")
        assert announced <= int(newest[-6:])
        seen.add(newest)
        take_checkpoint(run, 6)
        assert last_verified_checkpoint(run) == "checkpoints/step-000006"
        assert [path.name for path in run.checkpoints.iterdir()] == ["step-000006"]
        log_is_whole(run)
    assert len(seen) == 2


def test_F15_a_daemon_killed_while_it_says_that_a_worker_died_leaves_it_to_be_said_once(make_run: MakeRun) -> None:
    def prepare() -> RunDirectory:
        run = make_run(state="failed")
        take_checkpoint(run, 2)
        run.write_state(run.read_state().model_copy(update={"state": "running", **GONE}))
        return run

    for run in every_death(prepare, settle):
        state = settle(run)
        failures = [event for event in EventTail(run.events).read() if isinstance(event, FailedEvent)]
        assert (state.state, len(failures)) == ("failed", 1)
        assert failures[0].checkpoint == "checkpoints/step-000002"
        log_is_whole(run)


def test_F14_a_command_killed_while_it_resumes_a_run_leaves_one_that_can_be_resumed(make_run: MakeRun) -> None:
    def prepare() -> RunDirectory:
        run = make_run(state="failed")
        take_checkpoint(run, 2)
        return run

    seen = set()
    for run in every_death(prepare, lambda run: resume(run, python=NOBODY, accept_changes=True)):
        seen.add(settle(run).state)
        long_ago(run)
        assert settle(run).state == "failed"
        resume(run, python=NOBODY, accept_changes=True)
        state = run.read_state()
        assert (state.state, state.error, run.read_control().command) == ("queued", None, "run")
        assert last_verified_checkpoint(run) == "checkpoints/step-000002"
        log_is_whole(run)
        shutil.rmtree(run.path)
    assert seen == {"failed", "queued"}


def test_F8_a_launcher_that_is_killed_leaves_a_run_that_failed_or_none_and_nobody_waits_for_it(home: Path) -> None:
    config = RunConfig.model_validate(CONFIG)

    def launch(_: None = None) -> None:
        run = create_run_directory("demo")
        enqueue(run, lay_out(run, config, run.source))

    for _ in every_death(lambda: None, launch):
        for run in list_runs():
            long_ago(run)
            assert settle(run).state == "failed"
        launch()
        newest = max(list_runs(), key=lambda run: int(run.id.rpartition("-")[2]))
        assert newest.read_state().state == "queued"
        waiting = {path.name for path in queue_dir().iterdir() if not path.name.startswith(".")}
        assert newest.id in waiting
        shutil.rmtree(runs_dir())


@pytest.mark.parametrize("command", [commands.stop, commands.cancel])
def test_F12_a_command_killed_while_it_ends_a_paused_run_leaves_it_paused_or_ended(
    make_run: MakeRun, command: Callable[[RunDirectory], object]
) -> None:
    def prepare() -> RunDirectory:
        run = make_run(state="failed")
        with EventLog(run.events) as log:
            log.append(StateEvent, state="queued")
        run.write_state(run.read_state().model_copy(update={"state": "paused"}))
        return run

    to = "stopped" if command is commands.stop else "cancelled"
    for run in every_death(prepare, command):
        assert settle(run).state in ("paused", to)
        command(run)
        assert settle(run).state == to
        ends = [event.type for event in EventTail(run.events).read() if event.type == to]
        assert ends[-1:] == [to]
        log_is_whole(run)


def test_H8_an_import_that_is_killed_leaves_no_run_or_a_whole_one(make_run: MakeRun, tmp_path: Path) -> None:
    bundle = tmp_path / "one.tar.gz"
    run = make_run("away")
    claim_version(run)
    manifest = export_run(run, bundle)
    shutil.rmtree(run.path)

    for _ in every_death(lambda: None, lambda _: import_run(bundle)):
        for left in list_runs():
            assert left.hash_artifacts([left.adapter]) == left.read_manifest()
        again = import_run(bundle)
        assert {file.path for file in manifest.files} <= {
            file.relative_to(again.path).as_posix() for file in again.path.rglob("*")
        }
        versions = [record.version for one in list_runs() if (record := read_version(one)) is not None]
        assert len(versions) == len(set(versions))
        shutil.rmtree(runs_dir())


def test_H23_a_cleanup_that_is_killed_leaves_each_part_whole_or_gone(make_run: MakeRun, home: Path) -> None:
    def prepare() -> tuple[RunDirectory, RunDirectory]:
        kept, doomed = make_run("kept"), make_run("doomed", state="failed")
        for run in (kept, doomed):
            for step in (2, 4):
                CheckpointStore(run, keep=2).write(step, fill)
        return kept, doomed

    def clean(runs: tuple[RunDirectory, RunDirectory]) -> None:
        kept, doomed = runs
        remove([doomed.id, f"{kept.id}/checkpoints/step-000002"])

    for runs in every_death(prepare, clean):
        kept, doomed = runs
        listed = {run.id for run in list_runs()}
        assert len(list(intact_checkpoints(kept))) == len(list(kept.checkpoints.glob("step-*")))
        if doomed.id in listed:
            assert len(list(intact_checkpoints(doomed))) == len(list(doomed.checkpoints.glob("step-*"))) == 2
        clean(runs)
        assert not doomed.path.exists()
        assert [one.step for one in intact_checkpoints(kept)] == [4]
        assert [path.name for path in runs_dir().glob(".removing*")] == []
        assert cleanup_plan().items


def test_H18_a_version_whose_giver_is_killed_is_given_once_and_no_number_twice(make_run: MakeRun) -> None:
    given: set[str] = set()
    for run in every_death(make_run, claim_version):
        record = claim_version(run)
        assert record is not None and claim_version(run) == record
        assert record.version not in given
        assert all(number(record.version) > number(before) for before in given)
        given.add(record.version)


def test_notes_that_are_killed_are_the_old_or_the_new_ones(make_run: MakeRun) -> None:
    def prepare() -> RunDirectory:
        run = make_run()
        write_notes(run, RunNotes(tags=["old"]))
        return run

    for run in every_death(prepare, lambda run: write_notes(run, RunNotes(tags=["new"]))):
        assert read_notes(run).tags in (["old"], ["new"])


def test_H1_an_index_whose_maker_is_killed_says_what_the_directories_say(make_run: MakeRun) -> None:
    runs = [make_run(losses=[float(step) for step in range(count)]) for count in (3, 1500)]
    STORE.discard()
    page = find_runs(RunQuery())
    series = [read_series(SeriesParams(run_id=run.id, points=2000)) for run in runs]
    for _ in every_death(STORE.discard, lambda _: find_runs(RunQuery())):
        assert find_runs(RunQuery()) == page
        assert [read_series(SeriesParams(run_id=run.id, points=2000)) for run in runs] == series


@pytest.mark.parametrize("kind", ["emptied", "cut", "turned", "removed", "noise"])
@pytest.mark.parametrize("what", ["store.db", "store.db-wal", "store.db-shm", ".store.db.lock"])
def test_H1_whatever_becomes_of_the_files_of_the_index_it_says_what_the_directories_say(
    make_run: MakeRun, what: str, kind: str
) -> None:
    runs = [make_run(losses=[float(step) for step in range(count)]) for count in (3, 1500)]

    def asked() -> list[object]:
        return [find_runs(RunQuery()), *(read_series(SeriesParams(run_id=run.id, points=2000)) for run in runs)]

    expected = asked()
    # Killed with its connection open, so that the write-ahead log is there and holds the newest rows.
    for _ in every_death(STORE.discard, lambda _: asked(), few=3):
        pass
    file = home_folder() / what
    file.touch()
    content = bytearray(file.read_bytes())
    match kind:
        case "emptied":
            content.clear()
        case "cut":
            del content[len(content) // 2 :]
        case "turned":
            for at in range(0, len(content), 997):
                content[at] ^= 0x10
        case "noise":
            content[:] = b"\x5a" * max(len(content), 5000)
    file.write_bytes(content)
    if kind == "removed":
        file.unlink()
    assert asked() == expected


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"cpu\ncuda:7\n", b"x" * 100_000])
def test_F8_a_damaged_place_in_the_line_stops_nobody_and_is_mended_by_its_run(home: Path, content: bytes) -> None:
    config = RunConfig.model_validate(CONFIG)
    first, second = (create_run_directory("demo") for _ in range(2))
    for run in (first, second):
        enqueue(run, lay_out(run, config, run.source))
    (queue_dir() / first.id).write_bytes(content)
    (queue_dir() / "no run at all").write_bytes(content)
    wanted = Claim("cpu", ("cpu",))
    answer = try_turn(second, wanted)
    if isinstance(answer, Turn):
        # Whoever is first is late once, until it has written its place again.
        answer.release()
    held = try_turn(first, wanted)
    assert isinstance(held, Turn)
    held.release()
    assert not (queue_dir() / "no run at all").exists()
