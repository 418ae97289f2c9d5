"""What the index costs: rows that are looked at, statements, and bytes. Counted and not timed."""

import json
import math
import random
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from peft_daemon.runs.store import all_runs, find_runs, list_artifacts, read_series, resting_runs
from peft_daemon.runs.store.database import STORE
from peft_daemon.runs.store.query import parse_condition
from peft_engine.rundir import EventLog, RunDirectory
from peft_schemas.events import MetricEvent, ResumedEvent
from peft_schemas.records import RunQuery, SeriesParams

MakeRun = Callable[..., RunDirectory]

EVERY_RUN = ("SELECT id, stamp FROM runs", "FROM runs WHERE summary <> ''", "FROM runs WHERE stamp <> ''")
"""What is asked of every run there is, for which a walk over the table is the way."""

POINTS = 60_000


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that the index was given, with their values."""
    said: list[str] = []
    open_file = sqlite3.connect

    def listening(*arguments: object, **how: object) -> sqlite3.Connection:
        db = open_file(*arguments, **how)  # type: ignore[call-overload]
        db.set_trace_callback(said.append)
        return db  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", listening)
    yield said
    monkeypatch.undo()


def test_U21_nothing_that_the_index_is_asked_or_told_walks_over_a_table(
    make_run: MakeRun, statements: list[str]
) -> None:
    find_runs(RunQuery())
    # Whatever made the empty index was asked once, of nothing.
    statements.clear()
    runs = [make_run(losses=[float(step) for step in range(1500)]) for _ in range(2)]
    for query in (RunQuery(), RunQuery(sort="loss"), RunQuery(where=[parse_condition("loss<1")], sort="name")):
        find_runs(query)
    with EventLog(runs[0].events) as log:
        log.append(ResumedEvent, step=700, attempt=2, checkpoint=None)
        log.append(MetricEvent, step=701, epoch=0.0, values={"loss": 1.0})
    all_runs()
    resting_runs()
    read_series(SeriesParams(run_id=runs[0].id, points=20))
    read_series(SeriesParams(run_id=runs[0].id, points=20, first_step=100, last_step=600))
    list_artifacts(runs[0].id)
    asked = [text for text in statements if text.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT")]
    assert any("FROM points" in text for text in asked) and any("DELETE FROM chunks" in text for text in asked)
    with STORE.connect() as db:
        for text in asked:
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}")]
            walks = [
                step for step in plan if step.startswith("SCAN") and "INDEX" not in step and "CONSTANT" not in step
            ]
            assert not walks or any(known in text for known in EVERY_RUN), (text, plan)


@pytest.fixture
def long_run(make_run: MakeRun) -> RunDirectory:
    """A run of many steps, in the numbers that a worker measures, with one spike and one hole."""
    run, chance = make_run(state="failed", losses=[]), random.Random(3)
    with run.events.open("w") as file:
        for step in range(1, POINTS + 1):
            loss = None if step == 41_111 else 900.0 if step == 23_456 else 4.0 / step**0.3 + chance.random() * 0.1
            values = {"loss": loss, "learning_rate": 2e-4 * (1 - step / POINTS)}
            event = {"seq": step, "time": "2026-11-22T09:00:00.000Z", "type": "metric", "step": step}
            file.write(json.dumps({**event, "epoch": 0.0, "values": values, "eta_seconds": 1.0}) + "\n")
    return run


def test_U14_a_long_run_is_small_in_the_index_and_its_picture_is_drawn_from_few_rows(
    long_run: RunDirectory, statements: list[str]
) -> None:
    (whole,) = read_series(SeriesParams(run_id=long_run.id, metrics=["loss"], points=200))
    with STORE.connect() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        chunks = db.execute("SELECT count(*) FROM chunks").fetchone()[0]
    # Eight bytes a value, and a fourth of that for steps, outlines and pages that are not full.
    assert STORE.file().stat().st_size < 2 * POINTS * 8 * 1.25
    assert chunks < 2 * POINTS / 500
    assert whole.total == POINTS and len(whole.steps) <= 200
    assert max(value for value in whole.values if value is not None) == 900.0
    assert whole.steps[whole.values.index(900.0)] == 23_456
    assert whole.values[whole.steps.index(41_111)] is None
    assert math.isclose(whole.values[0] or 0.0, 4.0, abs_tol=0.1)
    statements.clear()
    read_series(SeriesParams(run_id=long_run.id, metrics=["loss"], points=200))
    # The outlines tell a picture of the whole: not one of the points is read.
    assert not [text for text in statements if "FROM points" in text]
    statements.clear()
    read_series(SeriesParams(run_id=long_run.id, metrics=["loss"], points=2000, first_step=30_000, last_step=30_600))
    assert 1 <= len([text for text in statements if "FROM points" in text]) <= 3
