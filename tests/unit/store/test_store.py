"""The index against the directories that it is made from."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from peft_daemon.runs.follow import summarise
from peft_daemon.runs.store import afresh, find_runs, list_artifacts, read_series
from peft_daemon.runs.store import query as statements
from peft_daemon.runs.store.database import STORE
from peft_daemon.runs.store.query import parse_condition
from peft_daemon.runs.store.schema import MIGRATIONS
from peft_engine.migrations import version_of
from peft_engine.notes import write_notes
from peft_engine.rundir import EventLog, RunDirectory
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import CheckpointEvent, MetricEvent, ResumedEvent
from peft_schemas.records import RunNotes, RunQuery, Series, SeriesParams

MakeRun = Callable[..., RunDirectory]


def ids(*where: str, **query: Any) -> list[str]:
    found = find_runs(RunQuery(where=[parse_condition(text) for text in where], **query))
    return [run.id for run in found.runs]


def loss(run: RunDirectory, **params: Any) -> Series:
    (series,) = read_series(SeriesParams(run_id=run.id, metrics=["loss"], **params))
    return series


def metric(run: RunDirectory, step: int, value: float | None) -> None:
    with EventLog(run.events) as log:
        log.append(MetricEvent, step=step, epoch=0.0, values={"loss": value})


def test_the_index_says_of_a_run_what_its_directory_says(make_run: MakeRun) -> None:
    run = make_run(losses=[3.0, None, 0.1])
    page = find_runs(RunQuery())
    assert page.runs == [summarise(run)]
    assert page.total == 1
    assert loss(run) == Series(metric="loss", steps=[1, 2, 3], values=[3.0, None, 0.1], total=3)


def test_runs_are_found_by_every_key(make_run: MakeRun) -> None:
    one = make_run("one", "failed", losses=[5.0], base="org/a")
    two = make_run("two", losses=[0.5], base="org/b", config={"method": {"type": "dora"}})
    write_notes(one, RunNotes(tags=["kept"]))
    created = two.read_state().created
    assert ids("state=failed") == [one.id]
    assert ids("base=org/b") == [two.id]
    assert ids("method=dora") == [two.id]
    assert ids("name=one") == [one.id]
    assert ids("tag=kept") == [one.id]
    assert ids("loss<1") == [two.id]
    assert ids("loss >= 0.5", "loss<=5") == [two.id, one.id]
    assert ids(f"created<{created}", "state=failed") == [one.id]
    assert ids("version=1.0.0") == [two.id]
    assert ids("state=failed", "loss<1") == []


def test_runs_come_newest_first_page_by_page_or_sorted_by_a_metric(make_run: MakeRun) -> None:
    runs = [make_run(losses=[value]) for value in (2.0, 1.0, 3.0)]
    assert ids(sort="loss", descending=False) == [runs[1].id, runs[0].id, runs[2].id]
    assert ids(limit=2, offset=1) == ids()[1:]
    assert find_runs(RunQuery(limit=1)).total == 3


@pytest.mark.parametrize("text", ["", "loss", "loss<", "loss<low", "=3", "a b=c"])
def test_what_is_no_condition_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(WorkbenchError) as refused:
        parse_condition(text)
    assert refused.value.code == "config-invalid"


def test_a_condition_can_only_compare(make_run: MakeRun) -> None:
    run = make_run()
    assert ids("name=x' OR '1'='1") == []
    assert ids() == [run.id]


@pytest.mark.parametrize(
    "query",
    [
        RunQuery(),
        RunQuery(sort="updated"),
        RunQuery(sort="name", descending=False),
        RunQuery(sort="loss"),
        *(
            RunQuery(where=[parse_condition(text)])
            for text in (
                "state=failed",
                "base=org/a",
                "method=lora",
                "name=demo",
                "version=1.0.0",
                "tag=kept",
                "created>=2026-01-01",
                "updated<2026-01-01",
                "loss<1",
            )
        ),
        RunQuery(where=[parse_condition("state=completed"), parse_condition("loss<1")], sort="loss"),
    ],
    ids=lambda query: query.model_dump_json(exclude_defaults=True),
)
def test_U21_no_query_reads_a_whole_table(query: RunQuery) -> None:
    with STORE.connect() as db:
        statement = statements.page(query)
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)]
    assert plan
    for line in plan:
        assert not line.startswith("SCAN") or "USING" in line, plan


def test_only_what_was_appended_is_read_again(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(state="failed", losses=[1.0] * 50)
    assert loss(run).total == 50
    read: list[int] = []
    add = "peft_daemon.runs.store.series.SeriesWriter.add"
    monkeypatch.setattr(add, lambda self, step, values: read.append(step))
    metric(run, 51, 0.5)
    loss(run)
    assert read == [51]


def test_a_line_that_is_still_being_written_waits(make_run: MakeRun) -> None:
    run = make_run(state="failed", losses=[1.0])
    line = MetricEvent(seq=2, time="t", step=2, epoch=0.0, values={"loss": 0.5}).model_dump_json().encode() + b"\n"
    with run.events.open("ab") as file:
        file.write(line[:30])
    assert loss(run).steps == [1]
    with run.events.open("ab") as file:
        file.write(line[30:])
    assert loss(run).steps == [1, 2]


def test_a_resumed_run_shows_the_repeated_steps_as_they_went_the_last_time(make_run: MakeRun) -> None:
    run = make_run(state="failed", losses=[float(step) for step in range(1, 3001)])
    assert loss(run).total == 3000
    with EventLog(run.events) as log:
        log.append(ResumedEvent, step=1500, attempt=2, checkpoint="checkpoints/step-001500")
        log.append(MetricEvent, step=1501, epoch=0.0, values={"loss": -1.0})
    series = loss(run, points=10_000)
    assert series.steps == list(range(1, 1502))
    assert series.values == [*(float(step) for step in range(1, 1501)), -1.0]


def test_a_resume_that_the_index_never_heard_of_shows_in_the_steps_themselves(make_run: MakeRun) -> None:
    run = make_run(state="failed", losses=[1.0, 2.0, 3.0])
    metric(run, 2, 9.0)
    assert loss(run).values == [1.0, 9.0]


@pytest.mark.parametrize("harm", ["replaced", "cut", "rewritten"])
def test_where_index_and_directory_disagree_the_directory_is_right(make_run: MakeRun, harm: str) -> None:
    run = make_run(state="failed", losses=[1.0, 2.0, 3.0])
    assert loss(run).values == [1.0, 2.0, 3.0]
    text = run.events.read_text()
    match harm:
        case "replaced":
            other = run.path / "other"
            other.write_text(text.replace('"loss":2.0', '"loss":7.0') + "\n")
            other.replace(run.events)
        case "cut":
            run.events.write_text("".join(text.splitlines(keepends=True)[:1]))
        case "rewritten":
            run.events.write_text(text.replace('"loss":2.0', '"loss":7.0'))
            os.utime(run.events, ns=(0, run.events.stat().st_mtime_ns + 1_000_000))
    assert loss(run).values == ([1.0] if harm == "cut" else [1.0, 7.0, 3.0])


def test_a_removed_run_leaves_the_index(make_run: MakeRun) -> None:
    run, other = make_run(), make_run()
    assert len(ids()) == 2
    loss(run)
    shutil.rmtree(run.path)
    assert ids() == [other.id]
    with STORE.connect() as db:
        assert db.execute("SELECT count(DISTINCT run) FROM series").fetchone()[0] == 1


def test_a_run_whose_worker_died_is_told_truthfully(make_run: MakeRun) -> None:
    run = make_run(state="running")
    state = run.read_state()
    run.write_state(state.model_copy(update={"pid": 2**22 - 3, "started": 1.0}))
    (summary,) = find_runs(RunQuery()).runs
    assert (summary.state, summary.error.code if summary.error else None) == ("failed", "worker-killed")


@pytest.mark.parametrize("harm", ["deleted", "no database", "damaged inside", "empty", "numbers cut"])
def test_H1_a_lost_or_damaged_index_is_made_again(make_run: MakeRun, harm: str) -> None:
    runs = [make_run(losses=[float(i)] * 2000) for i in range(3)]
    before = find_runs(RunQuery())
    assert loss(runs[0]).total == 2000
    with sqlite3.connect(STORE.file()) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    match harm:
        case "deleted":
            STORE.file().unlink()
        case "no database":
            STORE.file().write_text("certainly no database " * 100)
        case "damaged inside":
            whole = STORE.file().read_bytes()
            STORE.file().write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
        case "empty":
            STORE.file().write_bytes(b"")
        case "numbers cut":
            with sqlite3.connect(STORE.file()) as db:
                db.execute("UPDATE points SET numbers = substr(numbers, 1, length(numbers) - 1)")
            db.close()
    assert find_runs(RunQuery()) == before
    assert loss(runs[0]).total == 2000


def test_H1_an_index_made_anew_says_what_one_says_that_grew_and_reads_no_series_for_a_list(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of all kinds, more of them than are taken in at once; one log is too long to be read at once."""
    monkeypatch.setattr(import_module("peft_daemon.runs.store.sync"), "_MOST", 4)
    monkeypatch.setattr("peft_daemon.runs.store.reading._BLOCK", 40_000)
    runs = []
    for number, count in enumerate((0, 1, 2, 3, 700, 4, 5, 6, 7, 8)):
        run = make_run(
            f"demo{number % 3}", "completed" if number % 2 else "failed", losses=[1.0 / (1 + number)] * count
        )
        with EventLog(run.events) as log:
            if number % 3 == 0:
                log.append(ResumedEvent, step=count // 2, attempt=2, checkpoint=None)
                log.append(MetricEvent, step=count // 2 + 1, epoch=0.0, values={"loss": None})
        write_notes(run, RunNotes(tags=[f"tag{number}"]))
        runs.append(run)
        find_runs(RunQuery())
        loss(run)
    tables = ("tags", "latest", "artifacts", "costs", "events", "runs")
    grown, series = [_rows(table) for table in tables], [loss(run) for run in runs]

    STORE.discard()
    told: list[tuple[int, int]] = []
    find_runs(RunQuery(), lambda done, of: told.append((done, of)))
    assert [_rows(table) for table in tables] == grown
    assert told[-1] == (10, 10) and len(told) >= 3
    with STORE.connect() as db:
        charted = db.execute("SELECT id FROM runs JOIN series ON series.run = runs.key").fetchall()
    assert charted == [(runs[4].id,)] * 2, "of the long run, which is read in blocks, and of no other"
    assert [loss(run) for run in runs] == series
    assert [_rows(table) for table in tables] == grown


def test_many_threads_that_ask_for_a_new_index_make_it_once(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(state="failed") for _ in range(20)]
    read: list[str] = []
    real = afresh.describe

    def counting(run: RunDirectory, *rest: Any) -> Any:
        read.append(run.id)
        return real(run, *rest)

    monkeypatch.setattr(afresh, "describe", counting)
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _: find_runs(RunQuery()), range(4)))
    assert [page.total for page in pages] == [20] * 4
    assert sorted(read) == sorted(run.id for run in runs)


def test_H1_an_older_index_is_migrated_and_filled(make_run: MakeRun) -> None:
    run = make_run()
    ids()
    newest = _dump("costs")
    STORE.file().unlink()
    with sqlite3.connect(STORE.file()) as db:
        db.executescript(MIGRATIONS[0])
        db.execute("INSERT INTO runs (id, name, state, stamp) VALUES (?, 'stale', 'failed', 'old')", (run.id,))
        db.execute("PRAGMA user_version = 1")
    db.close()
    assert ids("state=completed") == [run.id]
    assert _dump("costs") == newest
    with STORE.connect() as db:
        assert version_of(db) == len(MIGRATIONS)


def test_H1_a_newer_programs_index_is_left_alone(make_run: MakeRun, home: Path) -> None:
    run = make_run()
    with sqlite3.connect(STORE.file()) as db:
        db.execute("CREATE TABLE runs (of_a_later_time)")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    before = STORE.file().read_bytes()
    assert ids() == [run.id]
    assert STORE.file().read_bytes() == before
    assert (home / f"store-{len(MIGRATIONS)}.db").is_file()


def test_without_a_place_for_the_index_one_is_made_in_memory(make_run: MakeRun, home: Path) -> None:
    run = make_run()
    STORE.file().mkdir()
    assert ids() == [run.id]
    assert loss(run).total == 2


ON_A_FULL_DISK = """
import resource, signal
from peft_daemon.runs.store import find_runs
from peft_schemas.records import RunQuery
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
print(*(run.id for run in find_runs(RunQuery()).runs))
"""


def test_on_a_full_disk_runs_are_still_listed(make_run: MakeRun) -> None:
    run = make_run()
    done = subprocess.run([sys.executable, "-c", ON_A_FULL_DISK], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, run.id), done.stderr


def test_several_readers_at_once_count_each_event_once(make_run: MakeRun) -> None:
    runs = [make_run(losses=[float(step) for step in range(2500)]) for _ in range(4)]
    faults: list[BaseException] = []

    def look() -> None:
        try:
            ids()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert [loss(run).total for run in runs] == [2500] * 4


def test_H6_a_removed_artifact_is_a_broken_link_and_no_error(make_run: MakeRun) -> None:
    run = make_run()
    checkpoint = run.checkpoints / "step-000002"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_bytes(bytes(100))
    with EventLog(run.events) as log:
        log.append(CheckpointEvent, step=2, path="checkpoints/step-000002", sha256="b" * 64)
    there = {one.path: (one.present, one.bytes) for one in list_artifacts(run.id)}
    assert there["checkpoints/step-000002"] == (True, 100)
    assert there["adapter/adapter_model.safetensors"][0]
    shutil.rmtree(run.adapter)
    assert [(one.present, one.bytes) for one in list_artifacts(run.id) if "adapter" in one.path] == [(False, None)]
    assert ids() == [run.id]


def test_a_run_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(WorkbenchError) as missing:
        read_series(SeriesParams(run_id="no-1"))
    assert missing.value.code == "run-missing"


def test_a_directory_that_is_damaged_keeps_the_others_in_the_list(make_run: MakeRun) -> None:
    good, bad = make_run(), make_run()
    (bad.path / "state.json").write_text("{")
    bad.resolved.write_text("[]")
    assert ids() == [good.id]
    good.resolved.write_text(json.dumps({"config": "none"}))
    good.environment.write_text("not json")
    write_notes(good, RunNotes(tags=["x", "x"]))
    assert ids("tag=x") == [good.id]


def _rows(table: str) -> list[dict[str, Any]]:
    """Return the rows of a table with their runs' ids in the place of keys, which depend on who came first."""
    own = "runs.*" if table == "runs" else f"{table}.*, runs.id AS id"
    joined = "runs" if table == "runs" else f"{table} JOIN runs ON {table}.run = runs.key"
    with STORE.connect() as db:
        db.row_factory = sqlite3.Row
        found = [dict(row) for row in db.execute(f"SELECT {own} FROM {joined}")]
    return sorted(({name: row[name] for name in row.keys() - {"key", "run", "charted"}} for row in found), key=_ordered)


def _ordered(row: dict[str, Any]) -> str:
    return repr(sorted(row.items(), key=lambda item: item[0]))


def _dump(table: str) -> list[Any]:
    with STORE.connect() as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()
