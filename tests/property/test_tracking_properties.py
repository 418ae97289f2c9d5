"""Trackers: what they receive is what the store holds, whatever is interrupted, lost or killed on the way."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_connectors.mlflow import MlflowTracker
from peft_connectors.tracker import Tracker
from peft_daemon.runs.store import read_series
from peft_daemon.tracking.connect import connect
from peft_daemon.tracking.send import send_missing
from peft_engine.rundir import EventLog, RunDirectory
from peft_engine.rundir.tracking import lay_out_tracker, read_tracker
from peft_schemas.config import TrackerConfig
from peft_schemas.events import CompletedEvent, EvaluationEvent, MetricEvent, PausedEvent, ResumedEvent
from peft_schemas.records import SeriesParams
from peft_schemas.tracking import TrackerFile
from tests.mlflow_server import MlflowStandIn, Run
from tests.property.strategies import examples
from tests.unit.store.conftest import make_run_directory

CALLS = ("begin", "log", "enter", "supersede")
VALUES = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.none())
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("steps"), st.lists(VALUES, min_size=1, max_size=20)),
        st.tuples(st.just("many"), st.integers(600, 980)),
        st.tuples(st.just("resume"), st.floats(0, 1)),
        st.tuples(st.just("pause"), st.none()),
        st.tuples(st.just("send"), st.none()),
        st.tuples(st.just("outage"), st.lists(st.sampled_from(["deaf", "busy", "mute", None]), min_size=1, max_size=6)),
        st.tuples(st.just("kill"), st.tuples(st.integers(1, 6), st.booleans())),
    ),
    min_size=1,
    max_size=10,
)


class Killed(BaseException):
    """The process that sends is gone: nothing of it is caught or written any more."""


class Mortal:
    """A connection whose process dies at one of its calls, before the server has it or after."""

    def __init__(self, tracker: Tracker, at: int, *, late: bool) -> None:
        self._tracker = tracker
        self._left = at
        self._late = late

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tracker, name)
        return found if name not in CALLS else lambda *said: self._call(found, said)

    def __enter__(self) -> "Mortal":
        return self

    def __exit__(self, *_: object) -> None:
        self._tracker.close()

    def _call(self, call: Any, said: tuple[Any, ...]) -> Any:
        self._left -= 1
        if self._left == 0 and not self._late:
            raise Killed
        answer = call(*said)
        if self._left == 0:
            raise Killed
        return answer


@pytest.fixture(scope="module")
def server() -> Iterator[MlflowStandIn]:
    with MlflowStandIn().serving() as server:
        yield server


def received(server: MlflowStandIn, run: RunDirectory) -> Run:
    """Return what the tracker has of a run, of which there must be one copy that counts."""
    (found,) = [there for there in server.counting() if there.tags["peftw.run"] == run.id]
    return found


def stored(run: RunDirectory) -> dict[str, list[tuple[int, str]]]:
    series = read_series(SeriesParams(run_id=run.id, points=10_000))
    return {
        one.metric: [
            (step, "nan" if value is None else repr(value)) for step, value in zip(one.steps, one.values, strict=True)
        ]
        for one in series
        if one.steps
    }


def write(run: RunDirectory, what: str, how: Any, step: int) -> int:
    with EventLog(run.events) as log:
        if what == "resume":
            step = int(step * how)
            log.append(ResumedEvent, step=step, attempt=2, checkpoint=None)
        elif what == "pause":
            log.append(PausedEvent, step=step, checkpoint=None, elapsed_seconds=1.0, eta_seconds=None, values={})
        else:
            for value in how if what == "steps" else [1.0 / (i + 1) for i in range(how)]:
                step += 1
                log.append(MetricEvent, step=step, epoch=0.0, values={"loss": value, "tokens": 10.0 * step})
                if step % 7 == 0:
                    log.append(EvaluationEvent, step=step, values={"loss": value})
    return step


@given(writes=WRITES)
@examples(40)
def test_H5_through_outages_kills_and_resumes_the_tracker_receives_the_series_of_the_store(
    server: MlflowStandIn, writes: list[tuple[str, Any]]
) -> None:
    server.runs.clear()
    server.faults.clear()
    run = make_run_directory(state="failed", losses=[])
    lay_out_tracker(run, TrackerConfig(type="mlflow", url=server.url, experiment="desk"))
    step = 0
    for what, how in writes:
        if what == "send":
            send_missing(run, connect)
        elif what == "outage":
            server.faults = list(how)
            send_missing(run, connect)
        elif what == "kill":
            at, late = how

            def mortal(file: TrackerFile, at: int = at, late: bool = late) -> Tracker:
                return Mortal(MlflowTracker(file.url), at, late=late)

            with suppress(Killed):
                send_missing(run, mortal)
        else:
            step = write(run, what, how, step)
    server.faults.clear()
    step = write(run, "steps", [0.5], step)
    with EventLog(run.events) as log:
        log.append(CompletedEvent, run_id=run.id, directory=str(run.path), step=step, adapter=None, gguf=None)
    send_missing(run, connect)
    file = read_tracker(run)
    assert file is not None and file.problem is None
    there = received(server, run)
    assert there.series() == stored(run)
    assert there.status == "FINISHED"
    asked = len(server.requests)
    send_missing(run, connect)
    assert len(server.requests) == asked, "there was nothing left to send"
