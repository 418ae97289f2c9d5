"""What a run's events come to: the states between, the time that counts, and what is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.runs.fold import RunFold
from peft_daemon.runs.follow import summarise
from peft_engine.rundir import EventLog, RunDirectory
from peft_schemas.events import (
    AnomalyEvent,
    AnomalyKind,
    AnyEvent,
    MetricEvent,
    PausedEvent,
    Recovery,
    RecoveryEvent,
    ResumedEvent,
    StateEvent,
)
from tests.property.strategies import examples

MakeRun = Callable[..., RunDirectory]
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Story:
    """Events with times that the test sets, folded one after another."""

    def __init__(self) -> None:
        self.fold = RunFold()
        self.seconds = 0.0
        self.seq = 0

    def tell(self, make: type[Any], **fields: Any) -> None:
        self.seq += 1
        time = (START + timedelta(seconds=self.seconds)).isoformat()
        event: AnyEvent = make(seq=self.seq, time=time, **fields)
        self.fold.take(event)

    def wrong(self) -> list[str]:
        return [found.id for found in self.fold.wrong()]

    def step(self, step: int, elapsed: float) -> None:
        self.tell(MetricEvent, step=step, epoch=0.0, values={"loss": 1.0 / step}, elapsed_seconds=elapsed)


@examples(50)
@given(
    workers=st.lists(
        st.tuples(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(0, 10_000)), max_size=4
    )
)
def test_F13_time_counts_while_a_run_trains_and_not_while_it_rests(workers: list[tuple[list[int], int]]) -> None:
    story, trained, step = Story(), 0.0, 0
    for steps, rest in workers:
        for state in ("queued", "preparing"):
            story.tell(StateEvent, state=state)
            story.seconds += rest
        story.tell(StateEvent, state="running")
        for seconds in steps:
            step += 1
            trained += seconds
            story.seconds += seconds
            story.step(step, trained)
        story.tell(StateEvent, state="stopping")
        story.tell(
            PausedEvent, step=step, checkpoint="c", elapsed_seconds=trained, eta_seconds=5.0, values={"loss": 0.5}
        )
        story.seconds += rest
        assert (story.fold.elapsed, story.fold.step) == (trained, step)
    assert story.fold.elapsed == (trained if workers else None)


@examples(30)
@given(
    step=st.integers(0, 1000),
    total=st.one_of(st.none(), st.integers(1000, 2000)),
    elapsed=st.floats(0, 1e6),
    eta=st.one_of(st.none(), st.floats(0, 1e6)),
    values=st.dictionaries(st.sampled_from(["loss", "memory_bytes", "cpu_percent"]), st.floats(0, 1e9)),
    checkpoint=st.sampled_from([None, "checkpoints/step-000010"]),
)
def test_F13_every_paused_run_shows_where_it_rests(
    step: int,
    total: int | None,
    elapsed: float,
    eta: float | None,
    values: dict[str, float],
    checkpoint: str | None,
    make_run: MakeRun,
) -> None:
    run = make_run(state="paused")
    run.write_state(run.read_state().model_copy(update={"step": step, "total_steps": total}))
    with EventLog(run.events) as log:
        log.append(
            PausedEvent, step=step, checkpoint=checkpoint, elapsed_seconds=elapsed, eta_seconds=eta, values=dict(values)
        )
    shown = summarise(run)
    assert (shown.state, shown.step, shown.total_steps) == ("paused", step, total)
    assert (shown.elapsed_seconds, shown.eta_seconds, shown.checkpoint) == (elapsed, eta, checkpoint)
    assert shown.metrics == values


@pytest.mark.parametrize("moved", [-3600, 3600])
def test_F13_a_clock_that_is_set_takes_and_gives_no_time(moved: int) -> None:
    story = Story()
    story.tell(StateEvent, state="running")
    story.seconds += moved
    story.step(1, 2.0)
    assert story.fold.elapsed == 2.0


def test_a_resumed_run_is_at_the_step_of_its_checkpoint() -> None:
    story = Story()
    story.tell(StateEvent, state="running")
    for step in range(1, 6):
        story.step(step, 1.0)
    story.tell(ResumedEvent, step=4, attempt=2, checkpoint="checkpoints/step-000004")
    assert story.fold.step == 4


def anomaly(story: Story, name: str, step: int, kind: AnomalyKind = "loss-divergence") -> None:
    story.tell(
        AnomalyEvent,
        id=name,
        kind=kind,
        step=step,
        cause="The loss rises.",
        key=None,
        evidence={},
        actions=[Recovery(action="pause", title="Pause"), Recovery(action="stop", title="Stop")],
    )


def recovery(story: Story, name: str, of: str | None, undoes: str | None = None) -> None:
    action = "undo" if undoes else "cut-learning-rate"
    story.tell(RecoveryEvent, id=name, anomaly=of, action=action, by="person", step=3, changes=[], undoes=undoes)


def test_an_anomaly_stands_until_something_is_done_about_it_and_again_when_that_is_taken_back() -> None:
    story = Story()
    anomaly(story, "a-1", 2)
    anomaly(story, "a-2", 3, "overfitting")
    recovery(story, "r-1", "a-1")
    assert story.wrong() == ["a-2"]
    recovery(story, "r-2", None, undoes="r-1")
    assert story.wrong() == ["a-2", "a-1"]


def test_an_anomaly_that_came_and_went_many_times_is_shown_once_and_dealt_with_at_once() -> None:
    story = Story()
    anomaly(story, "other", 1, "overfitting")
    for step in range(2, 40):
        anomaly(story, f"a-{step}", step)
    assert story.wrong() == ["other", "a-39"]
    assert len(story.fold.anomalies) < 20, "what is kept for the next reader does not grow with them"
    recovery(story, "r-1", "a-39")
    assert story.wrong() == ["other"]
    anomaly(story, "a-50", 50)
    recovery(story, "r-2", None, undoes="r-1")
    assert story.wrong() == ["other", "a-50"], "of a kind the newest, also where an older one is there again"


def test_a_standstill_is_over_with_the_next_step() -> None:
    story = Story()
    story.step(3, 1.0)
    anomaly(story, "a-1", 3, "stall")
    story.step(3, 1.0)
    assert story.wrong() == ["a-1"]
    story.step(4, 1.0)
    assert story.wrong() == []


def test_what_was_wrong_after_the_checkpoint_is_forgotten_with_it() -> None:
    story = Story()
    anomaly(story, "a-1", 2)
    anomaly(story, "a-2", 7)
    story.tell(ResumedEvent, step=4, attempt=2, checkpoint="checkpoints/step-000004")
    assert story.wrong() == ["a-1"]


def test_a_fold_goes_on_from_its_json() -> None:
    story = Story()
    anomaly(story, "a-1", 2)
    recovery(story, "r-1", "a-1")
    again = RunFold.from_json(story.fold.to_json())
    assert again == story.fold
