import errno
import math
import os

import pytest

from peft_engine.rundir import EventLog, EventTail
from peft_engine.rundir.checkpoints import CheckpointStore
from peft_engine.training.journal import Journal
from peft_schemas.errors import ErrorReport

FAULT = ErrorReport(code="disk-full", message="The disk is full.", remedy="Free some space.")


def types(run):
    return [event.type for event in EventTail(run.events).read()]


def test_the_worker_says_who_it_is_first(run):
    Journal(run).begin()
    state = run.read_state()
    assert (state.state, state.pid) == ("preparing", os.getpid())
    assert run.worker().alive()


def test_a_measurement_that_is_no_number_is_written_as_none(run):
    journal = Journal(run)
    journal.begin()
    journal.metric(1, 0.1, {"loss": math.nan, "grad_norm": math.inf, "learning_rate": 0.1}, None)
    event = EventTail(run.events).read()[-1]
    assert event.values == {"loss": None, "grad_norm": None, "learning_rate": 0.1}


def test_the_state_is_never_ahead_of_the_events(run, monkeypatch):
    """Whatever write fails, the state on disk says nothing that the events do not."""
    journal = Journal(run)
    journal.begin()

    def full(*_args, **_fields):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(EventLog, "append", full)
    for say in (
        lambda: journal.enter("running"),
        lambda: journal.plan(total_steps=3),
        lambda: journal.complete(step=3, adapter="adapter", gguf=None),
    ):
        with pytest.raises(OSError, match="No space"):
            say()
    state = run.read_state()
    assert (state.state, state.total_steps, state.step) == ("preparing", None, 0)


def test_the_last_word_of_a_failure_names_the_error_and_the_checkpoint(run):
    journal = Journal(run)
    journal.begin()
    checkpoint = CheckpointStore(run, keep=1).write(7, lambda folder: (folder / "w").write_bytes(b"w"))
    journal.checkpoint(checkpoint)
    journal.metric(8, 0.5, {"loss": 1.0}, 1.0)
    journal.fail(FAULT)
    last = EventTail(run.events).read()[-1]
    assert (last.type, last.run_id, last.directory, last.step) == ("failed", run.id, str(run.path), 8)
    assert (last.error, last.checkpoint) == (FAULT, "checkpoints/step-000007")
    assert (run.read_state().state, run.read_state().error) == ("failed", FAULT)


@pytest.mark.parametrize("end", ["complete", "stop", "fail"])
def test_each_end_is_one_last_event_and_the_reserve_is_gone(run, end):
    journal = Journal(run)
    journal.begin()
    if end == "complete":
        journal.complete(step=1, adapter="adapter", gguf="adapter.gguf")
    elif end == "stop":
        journal.stop(step=1)
    else:
        journal.fail(FAULT)
    assert types(run) == ["state", {"complete": "completed", "stop": "stopped", "fail": "failed"}[end]]
    assert not (run.path / ".reserve").exists()
