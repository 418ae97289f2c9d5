import errno
import math
import os

import pytest

from peft_engine.rundir import EventLog, EventTail
from peft_engine.rundir.checkpoints import CheckpointStore
from peft_engine.training.journal import Journal
from peft_schemas.errors import ErrorReport, WorkbenchError

FAULT = ErrorReport(code="disk-full", message="The disk is full.", remedy="Free some space.")


def types(run):
    return [event.type for event in EventTail(run.events).read()]


def test_the_worker_says_who_it_is_first(run):
    Journal(run).arrive()
    state = run.read_state()
    assert (state.state, state.pid) == ("queued", os.getpid())
    assert run.worker().alive()


def test_a_measurement_that_is_no_number_is_written_as_none(run):
    journal = Journal(run)
    journal.prepare()
    journal.metric(
        1, 0.1, {"loss": math.nan, "grad_norm": math.inf, "learning_rate": 0.1}, eta_seconds=None, elapsed_seconds=1.0
    )
    event = EventTail(run.events).read()[-1]
    assert event.values == {"loss": None, "grad_norm": None, "learning_rate": 0.1}


def test_the_state_is_never_ahead_of_the_events(run, monkeypatch):
    """Whatever write fails, the state on disk says nothing that the events do not."""
    journal = Journal(run)
    journal.prepare()
    journal.enter("running")

    def full(*_args, **_fields):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(EventLog, "append", full)
    for say in (
        lambda: journal.enter("stopping"),
        lambda: journal.plan(total_steps=3),
        lambda: journal.complete(step=3, adapter="adapter", gguf=None),
    ):
        with pytest.raises(OSError, match="No space"):
            say()
    state = run.read_state()
    assert (state.state, state.total_steps, state.step) == ("running", None, 0)


def test_the_last_word_of_a_failure_names_the_error_and_the_checkpoint(run):
    journal = Journal(run)
    journal.prepare()
    checkpoint = CheckpointStore(run, keep=1).write(7, lambda folder: (folder / "w").write_bytes(b"w"))
    journal.checkpoint(checkpoint)
    journal.metric(8, 0.5, {"loss": 1.0}, eta_seconds=1.0, elapsed_seconds=1.0)
    journal.fail(FAULT)
    last = EventTail(run.events).read()[-1]
    assert (last.type, last.run_id, last.directory, last.step) == ("failed", run.id, str(run.path), 8)
    assert (last.error, last.checkpoint) == (FAULT, "checkpoints/step-000007")
    assert (run.read_state().state, run.read_state().error) == ("failed", FAULT)


@pytest.mark.parametrize(
    ("end", "word"),
    [
        (lambda journal: journal.complete(step=1, adapter="adapter", gguf="adapter.gguf"), "completed"),
        (lambda journal: journal.fail(FAULT), "failed"),
        (lambda journal: journal.cancel(step=1, removed=False), "cancelled"),
    ],
)
def test_each_end_is_one_last_event_and_the_reserve_is_gone(run, end, word):
    journal = Journal(run)
    journal.prepare()
    journal.enter("running")
    end(journal)
    assert types(run) == ["state", "state", word]
    assert run.read_state().state == word
    assert not (run.path / ".reserve").exists()


def test_a_run_that_waits_keeps_space_for_its_last_word(run):
    journal = Journal(run)
    journal.arrive()
    assert (run.path / ".reserve").stat().st_size > 0
    journal.fail(FAULT)
    assert not (run.path / ".reserve").exists()


def test_a_run_that_rests_says_how_far_it_came_and_what_was_last_measured(run):
    journal = Journal(run)
    journal.prepare()
    journal.metric(6, 0.5, {"loss": 2.0, "memory_bytes": 5.0}, eta_seconds=30.0, elapsed_seconds=1.0)
    journal.evaluation(6, {"loss": 2.5})
    journal.metric(7, 0.5, {"loss": 1.0}, eta_seconds=20.0, elapsed_seconds=1.0)
    journal.pause(step=7, checkpoint="checkpoints/step-000007", elapsed_seconds=12.5)
    last = EventTail(run.events).read()[-1]
    assert last.type == "paused"
    assert (last.step, last.elapsed_seconds, last.eta_seconds) == (7, 12.5, 20.0)
    assert last.values == {"loss": 1.0, "memory_bytes": 5.0, "eval_loss": 2.5}
    assert run.read_state().state == "paused"


def test_a_run_that_goes_back_into_the_queue_is_its_next_attempt(run):
    journal = Journal(run)
    journal.prepare()
    journal.enter("running")
    journal.enter("stopping")
    journal.requeue(step=3, detail="its window has closed")
    state = run.read_state()
    assert (state.state, state.attempt, state.step) == ("queued", 2, 3)
    assert state.queued is not None


def test_no_word_is_written_for_a_move_that_does_not_exist(run):
    journal = Journal(run)
    journal.prepare()
    said = types(run)
    for say in (lambda: journal.complete(step=1, adapter=None, gguf=None), lambda: journal.enter("stopping")):
        with pytest.raises(WorkbenchError) as error:
            say()
        assert error.value.code == "move-illegal"
    assert types(run) == said
