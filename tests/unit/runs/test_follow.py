import asyncio
import signal
import subprocess
from collections.abc import Callable

import pytest

from peft_daemon.runs.follow import RunFollower, summarise
from peft_daemon.runs.store import all_runs, read_history
from peft_daemon.runs.watch import RunWatch
from peft_engine.notes import write_notes
from peft_engine.process import ProcessIdentity
from peft_engine.rundir import EventLog, EventTail, RunDirectory
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import (
    AnyEvent,
    CompletedEvent,
    EvaluationEvent,
    LogEvent,
    MetricEvent,
    PausedEvent,
    PlanEvent,
    RecoveryEvent,
    ResumedEvent,
    StateEvent,
)
from peft_schemas.records import RunNotes
from peft_schemas.runs import RunSummary
from tests.waiting import wait_until

MakeRun = Callable[..., RunDirectory]
Sleeper = subprocess.Popen[bytes]


def metric(log: EventLog, step: int, loss: float | None = 1.0) -> None:
    log.append(MetricEvent, step=step, epoch=0.0, values={"loss": loss}, eta_seconds=3.0)


def plan(log: EventLog) -> None:
    log.append(
        PlanEvent,
        total_steps=10,
        examples=4,
        trainable_parameters=1,
        total_parameters=2,
        device="cpu",
        dtype="float32",
        backend="peft",
    )


def test_a_worker_that_was_stopped_is_said_to_be_with_what_lets_it_go_on(make_run: MakeRun, sleeper: Sleeper) -> None:
    """It cannot say so itself, and looks as if it trained for ever."""
    run = make_run(state="running", worker=ProcessIdentity.of(sleeper.pid))
    assert summarise(run).detail is None
    sleeper.send_signal(signal.SIGSTOP)
    wait_until(lambda: summarise(run).detail is not None)
    assert f"kill -CONT {sleeper.pid}" in (summarise(run).detail or "")
    sleeper.send_signal(signal.SIGCONT)
    wait_until(lambda: summarise(run).detail is None)


def test_a_summary_folds_what_the_run_said(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    with EventLog(run.events) as log:
        plan(log)
        metric(log, 1, 2.5)
        metric(log, 2, None)
        log.append(EvaluationEvent, step=2, values={"loss": 1.5})
    summary = summarise(run)
    assert (summary.step, summary.total_steps, summary.eta_seconds) == (2, 10, 3.0)
    assert summary.metrics == {"loss": None, "eval_loss": 1.5}
    assert summary.chat_model is None


def test_a_completed_run_names_the_model_to_chat_with(make_run: MakeRun) -> None:
    run = make_run(state="completed")
    with EventLog(run.events) as log:
        log.append(
            CompletedEvent, run_id=run.id, directory=str(run.path), step=3, adapter="adapter", gguf="adapter.gguf"
        )
    assert summarise(run).chat_model == f"org/base:{run.id}"


def test_a_line_that_is_still_being_written_waits(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    follower = RunFollower(run)
    with EventLog(run.events) as log:
        metric(log, 1)
    whole = run.events.read_bytes()
    run.events.write_bytes(whole + whole[:20])
    assert len(follower.read()) == 1
    run.events.write_bytes(whole)
    with EventLog(run.events) as log:
        metric(log, 2)
    assert [event.seq for event in follower.read()] == [2]


class Editor:
    """Collects what a watch tells the editor."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str]] = []
        self.events: list[AnyEvent] = []
        self.watch = RunWatch(self.on_change, self.on_events)

    def on_change(self, runs: list[RunSummary]) -> None:
        self.changes += [(run.id, run.state) for run in runs]

    def on_events(self, run: RunSummary, events: list[AnyEvent]) -> None:
        self.events += events


def test_a_subscription_has_no_gap_and_no_repeat(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    editor = Editor()
    with EventLog(run.events) as log:
        for step in range(1, 4):
            metric(log, step)
        editor.watch.look()
        metric(log, 4)
        _, past = editor.watch.subscribe(run.id, after_seq=1)
        metric(log, 5)
        editor.watch.look()
        editor.watch.look()
        metric(log, 6)
        editor.watch.look()
    assert [event.seq for event in [*past, *editor.events]] == [2, 3, 4, 5, 6]


def test_G1_a_subscriber_that_comes_back_to_a_resumed_run_has_the_stored_series(
    make_run: MakeRun, sleeper: Sleeper
) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    with EventLog(run.events) as log:
        for step in range(1, 6):
            metric(log, step)
    first = Editor()
    first.watch.look()
    received = [*first.watch.subscribe(run.id, after_seq=0)[1]]
    with EventLog(run.events) as log:
        metric(log, 6)
        first.watch.look()
        received += first.events
        del first
        log.append(PausedEvent, step=6, checkpoint=None, elapsed_seconds=1.0, eta_seconds=None, values={})
    with EventLog(run.events) as log:
        log.append(StateEvent, state="queued")
        log.append(ResumedEvent, step=4, attempt=2, checkpoint="checkpoints/step-000004")
        metric(log, 5, 0.25)
    again = Editor()
    again.watch.look()
    received += again.watch.subscribe(run.id, after_seq=received[-1].seq)[1]
    with EventLog(run.events) as log:
        metric(log, 6, 0.125)
    again.watch.look()
    received += again.events
    assert received == EventTail(run.events).read()
    assert [event.seq for event in received] == list(range(1, len(received) + 1))
    assert summarise(run).metrics == {"loss": 0.125}


def test_G1_a_history_and_what_follows_it_are_the_stored_series(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    with EventLog(run.events) as log:
        plan(log)
        for step in range(1, 21):
            metric(log, step, 1 / step)
        recovery = log.append(RecoveryEvent, id="r", anomaly=None, action="undo", by="person", step=20, changes=[])
        past = read_history(run.id, 10)
        metric(log, 21, 0.5)
        editor = Editor()
        summary, events = editor.watch.subscribe(run.id, past.place.seq, past.place)
        metric(log, 22, 0.25)
        editor.watch.look()
    assert [event.type for event in past.events] == ["plan", "recovery"]
    assert past.events[-1] == recovery
    (loss,) = past.series
    assert (loss.steps[0], loss.steps[-1], loss.total) == (1, 20, 20)
    assert len(loss.steps) <= 10
    assert [event.seq for event in [*events, *editor.events]] == [past.place.seq + 1, past.place.seq + 2]
    # What was known of the run before the place counts, too.
    assert (summary.step, summary.total_steps, summary.metrics) == (21, 10, {"loss": 0.5})


def test_a_long_history_has_the_newest_lines_and_every_recovery(make_run: MakeRun) -> None:
    run = make_run(state="stopped")
    with EventLog(run.events) as log:
        first = log.append(RecoveryEvent, id="r", anomaly=None, action="undo", by="person", step=1, changes=[])
        for number in range(1500):
            log.append(LogEvent, level="info", message=str(number))
    events = read_history(run.id, 10).events
    assert events[0] == first
    assert [event.message for event in events[1:] if isinstance(event, LogEvent)] == [str(n) for n in range(500, 1500)]


def test_what_a_person_noted_is_told(make_run: MakeRun) -> None:
    run = make_run(state="stopped")
    told: list[tuple[bool, str]] = []
    watch = RunWatch(lambda runs: told.extend((one.notes.pinned, one.notes.text) for one in runs), lambda *_: None)
    watch.look()
    write_notes(run, RunNotes(pinned=True, text="the best"))
    watch.look()
    watch.look()
    assert told == [(False, ""), (True, "the best")]
    assert [one.notes.text for one in all_runs()] == ["the best"]


def test_a_new_daemon_sees_the_whole_of_a_run_that_was_going(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    with EventLog(run.events) as log:
        for step in range(1, 6):
            metric(log, step)
            Editor().watch.look()
        _, past = Editor().watch.subscribe(run.id, after_seq=0)
    assert [event.seq for event in past] == [1, 2, 3, 4, 5]


def test_each_change_is_told_once(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    editor = Editor()
    editor.watch.look()
    editor.watch.look()
    sleeper.kill()
    sleeper.wait()
    editor.watch.look()
    editor.watch.look()
    assert editor.changes == [(run.id, "running"), (run.id, "failed")]


def test_a_run_that_ended_and_is_resumed_is_followed_again_with_no_gap(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(state="stopped")
    with EventLog(run.events) as log:
        metric(log, 1)
    editor = Editor()
    _, past = editor.watch.subscribe(run.id, after_seq=0)
    editor.watch.look()
    worker = ProcessIdentity.of(sleeper.pid)
    resumed = {"state": "running", "pid": worker.pid, "started": worker.started, "attempt": 2}
    run.write_state(run.read_state().model_copy(update=resumed))
    with EventLog(run.events) as log:
        metric(log, 2)
        editor.watch.look()
        metric(log, 3)
        editor.watch.look()
    assert [event.seq for event in [*past, *editor.events]] == [1, 2, 3]
    assert editor.changes[-1] == (run.id, "running")


async def test_U21_a_daemon_learns_of_resting_runs_from_the_index_and_reads_none_of_them(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_run(state="stopped") for _ in range(3)]
    all_runs()
    read: list[str] = []
    monkeypatch.setattr(RunFollower, "read", lambda follower: read.append(follower.run.id))
    looked = asyncio.Event()
    look = RunWatch.look
    monkeypatch.setattr(RunWatch, "look", lambda watch, **how: (look(watch, **how), looked.set()))
    watching = asyncio.create_task(Editor().watch.forever())
    await asyncio.wait_for(looked.wait(), 60)
    watching.cancel()
    assert read == []
    assert {run.id for run in all_runs()} == {run.id for run in runs}


async def test_a_daemon_goes_on_with_a_run_that_is_at_work_where_the_index_stopped(
    make_run: MakeRun, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    with EventLog(run.events) as log:
        plan(log)
        for step in range(1, 6):
            metric(log, step)
    all_runs()
    taken: list[int] = []
    read = RunFollower.read
    monkeypatch.setattr(RunFollower, "read", lambda follower: [taken.append(one.seq) or one for one in read(follower)])
    told = asyncio.Event()
    watch = RunWatch(lambda runs: told.set() if runs[0].total_steps == 10 else None, lambda *_: None)
    with EventLog(run.events) as log:
        metric(log, 6)
    watching = asyncio.create_task(watch.forever())
    await asyncio.wait_for(told.wait(), 60)
    watching.cancel()
    # The sixth step may have been indexed just before.
    assert set(taken) <= {7}


def test_F23_what_a_run_waits_for_now_is_told(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(state="queued", worker=ProcessIdentity.of(sleeper.pid))
    told: list[str | None] = []
    watch = RunWatch(lambda runs: told.extend(run.detail for run in runs), lambda _run, _events: None)
    for detail in (None, "waiting for demo-7", "waiting for demo-7", "waiting until 22:00"):
        run.write_state(run.read_state().model_copy(update={"detail": detail}))
        watch.look()
    assert told == [None, "waiting for demo-7", "waiting until 22:00"]


def test_an_unknown_run_is_refused_in_a_sentence(home: object) -> None:
    for run_id in ("nothing-1", "../../etc", ""):
        with pytest.raises(WorkbenchError, match="There is no run"):
            Editor().watch.subscribe(run_id, 0)
