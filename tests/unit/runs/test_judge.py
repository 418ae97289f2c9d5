import contextlib
import fcntl
import json
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from peft_daemon.runs.commands import kill
from peft_daemon.runs.judge import settle
from peft_engine.files import sha256
from peft_engine.process import ProcessIdentity
from peft_engine.rundir import EventLog, EventTail, RunDirectory
from peft_engine.rundir.checkpoints import last_verified_checkpoint
from peft_engine.rundir.presence import appear, is_present
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import (
    CheckpointEvent,
    CompletedEvent,
    FailedEvent,
    MetricEvent,
    PausedEvent,
    ResumedEvent,
    StateEvent,
    StoppedEvent,
)

MakeRun = Callable[..., RunDirectory]
Sleeper = subprocess.Popen[bytes]


def checkpoint(run: RunDirectory, step: int) -> str:
    folder = run.checkpoints / f"step-{step:06d}"
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(bytes([step]))
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"step": step, "sha256": {"weights.bin": sha256(folder / "weights.bin")}}))
    path = folder.relative_to(run.path).as_posix()
    with EventLog(run.events) as log:
        log.append(CheckpointEvent, step=step, path=path, sha256=sha256(manifest))
    return path


def killed(sleeper: Sleeper) -> ProcessIdentity:
    identity = ProcessIdentity.of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    return identity


def test_a_run_whose_worker_lives_is_left_alone(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=ProcessIdentity.of(sleeper.pid))
    assert settle(run).state == "running"
    assert EventTail(run.events).read() == []


def test_a_killed_worker_is_reported_as_failed_with_its_last_good_checkpoint(
    make_run: MakeRun, sleeper: Sleeper
) -> None:
    run = make_run(worker=killed(sleeper))
    good = checkpoint(run, 2)
    damaged = checkpoint(run, 4)
    (run.path / damaged / "weights.bin").write_bytes(b"cut")
    with EventLog(run.events) as log:
        log.append(MetricEvent, step=5, epoch=0.5, values={"loss": 1.0})
    state = settle(run)
    assert state.state == "failed"
    assert state.error is not None and state.error.code == "worker-killed"
    final = EventTail(run.events).read()[-1]
    assert isinstance(final, FailedEvent)
    assert (final.checkpoint, final.step) == (good, 5)


def test_a_reused_pid_is_not_taken_for_the_worker(make_run: MakeRun, sleeper: Sleeper) -> None:
    live = ProcessIdentity.of(sleeper.pid)
    run = make_run(worker=ProcessIdentity(live.pid, live.started - 100))
    assert settle(run).state == "failed"


def test_a_final_event_without_its_state_is_completed_not_contradicted(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=killed(sleeper))
    with EventLog(run.events) as log:
        log.append(CompletedEvent, run_id=run.id, directory=str(run.path), step=9, adapter="adapter", gguf=None)
    assert settle(run).state == "completed"
    assert len(EventTail(run.events).read()) == 1


def test_a_pause_without_its_state_is_completed_too(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=killed(sleeper))
    with EventLog(run.events) as log:
        log.append(PausedEvent, step=4, checkpoint=None, elapsed_seconds=1.0, eta_seconds=None, values={})
    assert (settle(run).state, settle(run).step) == ("paused", 4)
    assert len(EventTail(run.events).read()) == 1


def test_the_last_word_of_an_earlier_worker_is_not_this_ones(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=killed(sleeper))
    with EventLog(run.events) as log:
        log.append(StoppedEvent, run_id=run.id, directory=str(run.path), step=9, checkpoint=None)
    run.write_state(run.read_state().model_copy(update={"attempt": 2, "since": 1}))
    assert settle(run).state == "failed"


def test_a_run_that_rests_is_not_judged(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=killed(sleeper))
    run.write_state(run.read_state().model_copy(update={"state": "paused"}))
    assert settle(run).state == "paused"
    assert EventTail(run.events).read() == []


def test_a_worker_lives_although_the_clock_was_set_while_it_trained(make_run: MakeRun, sleeper: Sleeper) -> None:
    """Start times are reckoned from the wall clock, so the same process has another one after it was set."""
    worker = ProcessIdentity.of(sleeper.pid)
    run = make_run(worker=ProcessIdentity(worker.pid, worker.started - 3600))
    with contextlib.ExitStack() as held:
        place = appear(run)
        assert place is not None
        held.enter_context(place)
        assert appear(run) is None
        assert settle(run).state == "running"
    assert settle(run).state == "failed"


@pytest.mark.parametrize("content", [b"", b'{"run_id": "demo', b"\x00" * 40])
def test_a_damaged_state_is_worked_out_of_the_events(make_run: MakeRun, sleeper: Sleeper, content: bytes) -> None:
    run = make_run(worker=killed(sleeper))
    run.write_resolved({"config": {"model": {"base": "org/base"}}, "source": "/somewhere/demo.peft.yaml"})
    with EventLog(run.events) as log:
        log.append(StateEvent, state="running")
        log.append(ResumedEvent, step=2, attempt=2, checkpoint=None)
        log.append(MetricEvent, step=3, epoch=0.5, values={"loss": 1.0})
        log.append(PausedEvent, step=4, checkpoint=None, elapsed_seconds=1.0, eta_seconds=None, values={})
    (run.path / "state.json").write_bytes(content)
    state = settle(run)
    assert (state.state, state.attempt, state.step) == ("paused", 2, 4)
    assert (state.name, state.base, state.config_path) == ("demo", "org/base", "/somewhere/demo.peft.yaml")
    assert run.read_state() == state


def test_a_run_of_which_nothing_can_be_read_says_so(make_run: MakeRun) -> None:
    run = make_run()
    (run.path / "state.json").write_bytes(b"{")
    with pytest.raises(WorkbenchError) as error:
        settle(run)
    assert error.value.code == "run-missing"


def test_a_worker_takes_its_place_although_others_ask_whether_it_is_there(make_run: MakeRun) -> None:
    run = make_run()
    with (run.path / ".worker.lock").open("w") as asked:
        fcntl.flock(asked, fcntl.LOCK_SH)
        with ThreadPoolExecutor(1) as pool:
            place = pool.submit(appear, run)
            fcntl.flock(asked, fcntl.LOCK_UN)
            taken = place.result()
    assert taken is not None
    with taken:
        assert is_present(run)
    assert not is_present(run)


def test_a_worker_that_never_came_is_missed_although_the_clock_was_put_back(make_run: MakeRun) -> None:
    run = make_run(state="queued")
    run.write_state(run.read_state().model_copy(update={"queued": "2999-01-01T00:00:00.000Z"}))
    assert settle(run).state == "failed"


def test_a_worker_on_its_way_is_awaited_although_the_clock_was_put_forward(make_run: MakeRun) -> None:
    run = make_run(state="queued")
    long_ago = {"queued": "2020-01-01T00:00:00.000Z", "queued_uptime": time.monotonic() - 1}
    run.write_state(run.read_state().model_copy(update=long_ago))
    assert settle(run).state == "queued"


@pytest.mark.parametrize("uptime", [time.monotonic() - 3600, time.monotonic() + 3600], ids=["long ago", "restarted"])
def test_a_worker_that_never_came_is_missed_by_both_clocks(make_run: MakeRun, uptime: float) -> None:
    run = make_run(state="queued")
    run.write_state(run.read_state().model_copy(update={"queued": "2020-01-01T00:00:00.000Z", "queued_uptime": uptime}))
    assert settle(run).state == "failed"


def test_a_failure_says_how_to_go_on(make_run: MakeRun, sleeper: Sleeper) -> None:
    error = settle(make_run(worker=killed(sleeper))).error
    assert error is not None
    assert "peftw runs resume" in error.remedy
    assert "begins anew" in error.remedy


def test_many_judges_at_once_write_one_verdict(make_run: MakeRun, sleeper: Sleeper) -> None:
    run = make_run(worker=killed(sleeper))
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda _: settle(run).state, range(16)))
    assert set(states) == {"failed"}
    assert [event.type for event in EventTail(run.events).read()] == ["failed"]


def test_no_checkpoint_is_no_checkpoint(make_run: MakeRun) -> None:
    assert last_verified_checkpoint(make_run()) is None


def test_kill_ends_a_worker_that_ignores_the_polite_signal(make_run: MakeRun) -> None:
    stubborn = subprocess.Popen(
        [
            "python3",
            "-c",
            "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(600)",
        ],
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    run = make_run(worker=ProcessIdentity.of(stubborn.pid))
    kill(run, patience=0.3)
    assert stubborn.wait(10) == -signal.SIGKILL
    assert settle(run).state == "stopped"
