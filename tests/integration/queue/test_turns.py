"""Rows F21 and F23: whose turn it is, with real workers that do all but train, on a clock and sensors of our own."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from peft_daemon.runs import commands
from peft_daemon.runs.follow import summarise
from peft_engine.queue.devices import Claim, claim
from peft_engine.queue.line import line
from peft_engine.queue.turn import Turn, try_turn
from peft_engine.rundir import EventTail, RunDirectory, list_runs
from peft_engine.rundir.directory import written
from peft_schemas.config import ComputeConfig
from peft_schemas.errors import WorkbenchError
from tests.integration.queue.runs import assert_truthful, end, finish, launch, path_of, wait_for, wait_until


@pytest.fixture(autouse=True)
def one_slot(home: Path) -> Iterator[None]:
    (home / "limit").write_text("1")
    yield
    end([run for run in list_runs() if run.worker() is not None])


def at(home: Path, moment: str) -> None:
    """Set the clock; written aside, for a worker may read it at any moment."""
    (home / "clock.new").write_text(moment)
    (home / "clock.new").rename(home / "clock")


def feel(home: Path, *, on_battery: bool | None = None, temperature: float | None = None) -> None:
    (home / "sensors.new").write_text(json.dumps([on_battery, temperature]))
    (home / "sensors.new").rename(home / "sensors")


def detail(run: RunDirectory) -> str:
    return summarise(run).detail or ""


def test_F21_of_three_runs_and_one_slot_one_computes_and_the_others_say_for_whom_they_wait(
    nurse: Path, home: Path
) -> None:
    runs = [launch(nurse) for _ in range(3)]
    wait_for(runs[0], "running")
    who = "waiting for demo-1, which trains on the CPU"
    wait_until(lambda: [detail(run) for run in runs[1:]] == [who, who], lambda: [detail(run) for run in runs])
    for run in runs:
        wait_for(run, "running")
        assert sum(other.read_state().state == "running" for other in runs) == 1
        finish(run)
        wait_for(run, "completed")
    computing: list[tuple[str, str]] = sorted(
        (event.time, run.id)
        for run in runs
        for event in EventTail(run.events).read()
        if event.type == "state" and event.state == "running"
    )
    assert [run_id for _, run_id in computing] == ["demo-1", "demo-2", "demo-3"]
    assert not (home / "too-many").exists()


def test_F8_a_higher_priority_goes_first_among_those_that_wait(nurse: Path) -> None:
    first = launch(nurse)
    wait_for(first, "running")
    low, high = launch(nurse, priority=-1), launch(nurse, priority=5)
    finish(first)
    wait_for(high, "running")
    assert low.read_state().state == "queued"
    finish(high)
    wait_for(low, "running")
    commands.stop(low)
    wait_for(low, "stopped")


def test_F8_a_run_that_was_moved_to_the_front_goes_next(nurse: Path) -> None:
    first = launch(nurse)
    wait_for(first, "running")
    urgent, early, late = launch(nurse, priority=5), launch(nurse), launch(nurse)
    assert commands.move_in_queue(late, "first") == [late.id, urgent.id, early.id]
    wait_until(lambda: detail(early) == f"waiting for {first.id}, which trains on the CPU")
    finish(first)
    wait_for(late, "running")
    wait_until(lambda: detail(urgent) == f"waiting for {late.id}, which trains on the CPU")
    assert commands.move_in_queue(urgent, "down") == [early.id, urgent.id]
    with pytest.raises(WorkbenchError, match=f"Run {late.id} is running, so it has no place"):
        commands.move_in_queue(late, "last")
    for run in (late, early, urgent):
        wait_for(run, "running")
        finish(run)
        wait_for(run, "completed")


def test_F8_a_run_that_is_resumed_is_queued_like_a_new_one_wherever_it_was_moved_before(nurse: Path) -> None:
    first = launch(nurse)
    wait_for(first, "running")
    early, late = launch(nurse), launch(nurse)
    assert commands.move_in_queue(late, "first") == [late.id, early.id]
    commands.pause(late)
    wait_for(late, "paused")
    commands.resume(late, python=str(nurse))
    assert commands.move_in_queue(early, "up") == [early.id, late.id]


def test_F23_a_run_that_waits_for_its_window_is_moved_for_when_it_opens(nurse: Path, home: Path) -> None:
    at(home, "2026-11-20 12:00")
    held = launch(nurse)
    wait_for(held, "running")
    early = launch(nurse)
    night = launch(nurse, window="22:00-06:00")
    wait_until(lambda: "2026-11-20 22:00" in detail(night) and not (home / "queue" / night.id).exists())
    assert commands.move_in_queue(night, "first") == [night.id, early.id]
    at(home, "2026-11-20 22:00")
    wait_until(lambda: (home / "queue" / night.id).exists())
    finish(held)
    wait_for(night, "running")
    assert early.read_state().state == "queued"


def test_F21_a_limit_that_is_raised_lets_the_next_in_at_once(nurse: Path, home: Path) -> None:
    runs = [launch(nurse) for _ in range(2)]
    wait_for(runs[0], "running")
    wait_until(lambda: "waiting" in detail(runs[1]))
    (home / "limit").write_text("2")
    (home / "settings.yaml").write_text("slots: {cpu: 2}\n")
    wait_for(runs[1], "running")
    for run in runs:
        finish(run)
        wait_for(run, "completed")


def test_settings_that_cannot_be_read_end_the_run_in_a_sentence(nurse: Path, home: Path) -> None:
    (home / "settings.yaml").write_text("slots: {cpu: none}\n")
    state = wait_for(launch(nurse), "failed")
    assert state.error is not None
    assert "slots.cpu" in state.error.message


def test_F23_a_run_starts_when_its_window_opens_pauses_at_close_and_goes_on_when_it_opens_again(
    nurse: Path, home: Path
) -> None:
    at(home, "2026-11-20 21:59")
    run = launch(nurse, window="22:00-06:00")
    wait_until(lambda: detail(run) == "waiting until 2026-11-20 22:00, when its schedule lets it compute")
    other = launch(nurse)
    wait_for(other, "running")
    finish(other)
    wait_for(other, "completed")
    at(home, "2026-11-20 22:00")
    pid = wait_for(run, "running").pid
    wait_until(lambda: summarise(run).step > 2)
    at(home, "2026-11-21 06:00")
    wait_for(run, "queued")
    wait_until(lambda: "2026-11-21 22:00" in detail(run))
    at(home, "2026-11-21 23:00")
    state = wait_for(run, "running")
    assert (state.pid, state.attempt) == (pid, 2), "the same process, as its next attempt"
    finish(run)
    wait_for(run, "completed")
    assert_truthful(run)
    assert path_of(EventTail(run.events).read()) == [
        *("queued", "preparing", "running", "stopping", "queued", "preparing", "running", "completed")
    ]


def test_F23_a_run_that_may_finish_outlasts_its_window(nurse: Path, home: Path) -> None:
    at(home, "2026-11-20 23:00")
    run = launch(nurse, window="22:00-06:00", at_close="finish")
    wait_for(run, "running")
    at(home, "2026-11-21 12:00")
    step = summarise(run).step
    wait_until(lambda: summarise(run).step > step + 10)
    assert run.read_state().state == "running"
    finish(run)
    wait_for(run, "completed")


def test_F23_a_run_gives_its_device_up_on_battery_and_when_it_is_hot(nurse: Path, home: Path) -> None:
    feel(home, on_battery=True, temperature=50.0)
    run = launch(nurse, ac_power=True, max_temperature=80.0)
    wait_until(lambda: "mains power" in detail(run))
    feel(home, on_battery=False, temperature=50.0)
    wait_for(run, "running")
    feel(home, on_battery=False, temperature=81.0)
    wait_until(lambda: detail(run) == "waiting until the machine has cooled to 75 °C")
    feel(home, on_battery=False, temperature=78.0)
    other = launch(nurse)
    wait_for(other, "running")
    finish(other)
    wait_for(other, "completed")
    assert run.read_state().state == "queued"
    feel(home, on_battery=False, temperature=74.0)
    wait_for(run, "running")
    finish(run)
    wait_for(run, "completed")
    assert_truthful(run)


@pytest.mark.parametrize("command", [commands.pause, commands.stop, commands.cancel])
def test_a_run_that_waits_for_its_window_hears_commands(nurse: Path, home: Path, command: object) -> None:
    at(home, "2026-11-20 12:00")
    run = launch(nurse, window="22:00-06:00")
    wait_until(lambda: "2026-11-20 22:00" in detail(run))
    command(run)  # type: ignore[operator]
    wait_for(run, "paused", "stopped", "cancelled")
    assert_truthful(run)


def test_a_run_of_two_devices_is_not_overtaken_by_runs_of_one(nurse: Path, home: Path) -> None:
    """Here the devices are names: what is locked is the same on a machine that has them."""
    held, wide, narrow = (launch(Path("/bin/true")) for _ in range(3))
    devices = ("cuda0", "cuda1")
    first = try_turn(held, Claim("cuda", devices))
    assert isinstance(first, Turn)
    assert first.devices == ["cuda0"]
    assert try_turn(wide, Claim("cuda", devices, 2)) == "waiting for demo-1, which trains on GPU 0"
    assert try_turn(narrow, Claim("cuda", devices)) == "waiting for demo-2 to go first"
    first.release()
    both = try_turn(wide, Claim("cuda", devices, 2))
    assert isinstance(both, Turn)
    assert both.devices == ["cuda0", "cuda1"]
    both.release()
    last = try_turn(narrow, Claim("cuda", devices))
    assert isinstance(last, Turn)
    last.release()


def test_a_run_claims_the_cuda_devices_that_it_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8f3a")
    assert claim(ComputeConfig(device="cuda", processes=2)) == Claim("cuda", ("cuda2", "cudaGPU-8f3a"), 2)
    assert claim(ComputeConfig(device="cpu", processes=2)) == Claim("cpu", ("cpu",), 1)


def test_a_clock_that_was_put_back_changes_nobodys_place(home: Path) -> None:
    early = launch(Path("/bin/true"))
    joined = written(datetime.now(UTC) + timedelta(minutes=1))
    early.write_state(early.read_state().model_copy(update={"queued": joined}))
    late = launch(Path("/bin/true"))
    assert (late.read_state().queued or "") > joined
    with line() as queue:
        assert queue.before(late, ["cpu"]) == early.id
        assert queue.before(early, ["cpu"]) is None


def test_a_line_whose_folder_was_deleted_mends_itself(nurse: Path, home: Path) -> None:
    runs = [launch(nurse) for _ in range(3)]
    wait_for(runs[0], "running")
    wait_until(lambda: all("waiting" in detail(run) for run in runs[1:]))
    for entry in (home / "queue").iterdir():
        entry.unlink(missing_ok=True)
    # Each comes back into the line with its next look; before that, nobody could know who is first.
    wait_until(lambda: all((home / "queue" / run.id).is_file() for run in runs[1:]))
    for run in runs:
        wait_for(run, "running")
        finish(run)
        wait_for(run, "completed")
