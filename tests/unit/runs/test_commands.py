"""What can be done with a run that no worker speaks for, and what is written for one that lives."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from peft_daemon.cli import runs, runs_control
from peft_daemon.runs import commands
from peft_engine.process import ProcessIdentity
from peft_engine.rundir import EventLog, EventTail, RunDirectory
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import (
    AnomalyEvent,
    CancelledEvent,
    Change,
    ControlFile,
    FailedEvent,
    LogEvent,
    MetricEvent,
    PausedEvent,
    Recovery,
    RecoveryAction,
    RecoveryEvent,
    RecoveryRequest,
    RunState,
    StoppedEvent,
)

MakeRun = Callable[..., RunDirectory]
Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def living(make_run: MakeRun, sleeper: Sleeper) -> Callable[[RunState], RunDirectory]:
    return lambda state: make_run(state=state, worker=ProcessIdentity.of(sleeper.pid))


def troubled(run: RunDirectory) -> RunDirectory:
    with EventLog(run.events) as log:
        for name, kind, actions in (
            ("a-1", "loss-divergence", ("cut-learning-rate", "pause")),
            ("a-2", "non-finite", ("roll-back", "pause")),
        ):
            log.append(
                AnomalyEvent,
                id=name,
                kind=kind,
                step=3,
                cause="The loss rises.",
                key=None,
                evidence={},
                actions=[Recovery(action=action, title=action) for action in actions],
            )
    return run


def recovered(run: RunDirectory, name: str, undoes: str | None = None, **fields: Any) -> None:
    action: RecoveryAction = "undo" if undoes else "cut-learning-rate"
    said = {"anomaly": "a-1", "action": action, "by": "person", "step": 4, "changes": [], "undoes": undoes, **fields}
    with EventLog(run.events) as log:
        log.append(RecoveryEvent, id=name, **said)


@pytest.mark.parametrize("state", ["queued", "preparing", "running", "stopping"])
def test_a_living_worker_is_asked_and_has_the_word(living: Callable[[RunState], RunDirectory], state: RunState) -> None:
    run = living(state)
    commands.pause(run)
    assert run.read_control().command == "pause"
    commands.stop(run)
    assert run.read_control().command == "stop"
    assert run.read_state().state == state
    assert EventTail(run.events).read() == []


def test_a_wish_does_not_give_way_to_one_that_goes_less_far(living: Callable[[RunState], RunDirectory]) -> None:
    run = living("running")
    commands.stop(run)
    with pytest.raises(WorkbenchError, match="told to stop already, so it cannot pause"):
        commands.pause(run)
    assert run.read_control().command == "stop"


@pytest.mark.parametrize(("command", "word"), [(commands.stop, "stopped"), (commands.cancel, "cancelled")])
def test_a_paused_run_has_its_last_word_written_for_it(
    make_run: MakeRun, command: Callable[[RunDirectory], None], word: str
) -> None:
    run = make_run(state="paused")
    command(run)
    (event,) = EventTail(run.events).read()
    assert (event.type, run.read_state().state) == (word, word)


@pytest.mark.parametrize("state", ["completed", "failed", "stopped"])
def test_what_has_ended_is_not_cancelled(make_run: MakeRun, state: RunState) -> None:
    run = make_run(state=state)
    with pytest.raises(WorkbenchError, match=f"is {state}, so it cannot be cancelled") as refused:
        commands.cancel(run)
    assert refused.value.code == "move-illegal"
    assert run.read_control().command == "run"


def test_cancel_ends_a_worker_that_does_not_hear(living: Callable[[RunState], RunDirectory], sleeper: Sleeper) -> None:
    run = living("running")
    (run.checkpoints / "step-000002").mkdir(parents=True)
    with EventLog(run.events) as log:
        log.append(MetricEvent, step=7, epoch=0.1, values={"loss": 1.0}, eta_seconds=None)
    commands.cancel(run, remove=True, patience=0.1)
    assert sleeper.wait(60) != 0
    last = EventTail(run.events).read()[-1]
    assert isinstance(last, CancelledEvent)
    assert (last.step, run.read_state().step) == (7, 7), (
        "the last step that was reported, which the state may be behind"
    )
    assert not run.checkpoints.exists()


def test_force_on_a_run_that_failed_meanwhile_changes_nothing(make_run: MakeRun) -> None:
    run = make_run(state="failed")
    commands.kill(run, patience=0.1)
    assert run.read_state().state == "failed"
    assert not [event for event in EventTail(run.events).read() if not isinstance(event, FailedEvent)]


def test_a_recovery_is_asked_about_the_newest_anomaly_that_proposes_it(
    living: Callable[[RunState], RunDirectory],
) -> None:
    run = troubled(living("running"))
    assert commands.recover(run, "pause").anomaly == "a-2"
    assert commands.recover(run, "cut-learning-rate").anomaly == "a-1"
    assert commands.recover(run, "pause", anomaly="a-1").anomaly == "a-1"
    asked = run.read_control().recoveries
    assert [request.id for request in asked] == ["person-1-1", "person-1-2", "person-1-3"]
    assert run.read_control().command == "run"


@pytest.mark.parametrize(
    ("action", "anomaly", "said"),
    [
        ("cut-batch", None, "has no anomaly that proposes cut-batch"),
        ("pause", "a-9", "has no anomaly a-9"),
        ("roll-back", "a-1", "not proposed about anomaly a-1"),
        ("undo", None, "has no recovery that could be taken back"),
    ],
)
def test_a_recovery_that_nothing_proposes_is_refused(
    living: Callable[[RunState], RunDirectory], action: RecoveryAction, anomaly: str | None, said: str
) -> None:
    run = troubled(living("running"))
    with pytest.raises(WorkbenchError, match=said):
        commands.recover(run, action, anomaly=anomaly)
    assert run.read_control().recoveries == []


def test_undo_takes_back_the_newest_that_was_not_taken_back(living: Callable[[RunState], RunDirectory]) -> None:
    run = troubled(living("running"))
    recovered(run, "r-1")
    recovered(run, "r-2")
    assert commands.recover(run, "undo").undoes == "r-2"
    recovered(run, "r-3", undoes="r-2")
    assert commands.recover(run, "undo").undoes == "r-1"
    with pytest.raises(WorkbenchError, match="no recovery r-2"):
        commands.recover(run, "undo", undoes="r-2")


def test_what_is_asked_of_a_resumed_run_has_a_name_of_its_own(living: Callable[[RunState], RunDirectory]) -> None:
    """A resume begins with an empty control file, and the worker does each name once."""
    run = troubled(living("running"))
    before = commands.recover(run, "cut-learning-rate").id
    run.write_control(ControlFile())
    run.write_state(run.read_state().model_copy(update={"attempt": 2}))
    assert commands.recover(run, "cut-learning-rate").id != before


@pytest.mark.parametrize("rests", ["pause", "stop"])
def test_a_pause_or_a_stop_is_nothing_that_could_be_taken_back(
    living: Callable[[RunState], RunDirectory], rests: RecoveryAction
) -> None:
    run = troubled(living("running"))
    recovered(run, "r-1")
    recovered(run, "r-2", action=rests)
    assert commands.recover(run, "undo").undoes == "r-1"
    with pytest.raises(WorkbenchError, match="no recovery r-2"):
        commands.recover(run, "undo", undoes="r-2")


@pytest.mark.parametrize(
    ("state", "remedy"),
    [("paused", "Resume it first"), ("failed", "Resume it first"), ("completed", "Run its config again")],
)
def test_nothing_is_recovered_in_a_run_that_does_not_train(make_run: MakeRun, state: RunState, remedy: str) -> None:
    with pytest.raises(WorkbenchError, match=f"is {state}, so nothing can be done") as error:
        commands.recover(troubled(make_run(state=state)), "pause")
    assert error.value.report().remedy.startswith(remedy)


def test_what_was_done_about_a_run_is_shown_with_who_did_it_and_its_name(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(state="paused")
    cut = Change(key="training.learning_rate", before=0.2, after=0.1)
    recovered(run, "r-1", changes=[cut])
    recovered(run, "r-2", changes=[cut], by="auto")
    recovered(run, "r-3", undoes="r-2")
    runs.show_command(run.id)
    shown = capsys.readouterr().out.splitlines()
    assert "r-1 at step 4: cut-learning-rate by a person. training.learning_rate: 0.2 -> 0.1" in shown
    assert "r-2 at step 4: cut-learning-rate by the run itself, taken back since." in " ".join(shown)
    assert not [line for line in shown if line.startswith("r-3")]


def test_the_command_says_at_once_what_was_not_done_and_why(
    living: Callable[[RunState], RunDirectory], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = troubled(living("running"))
    ask = commands.recover

    def asked_of_a_worker(*args: Any, **rest: Any) -> RecoveryRequest:
        request = ask(*args, **rest)
        with EventLog(run.events) as log:
            message = "The recovery `roll-back` was not done: no intact checkpoint is from before."
            log.append(LogEvent, level="warning", message=message, recovery=request.id)
        return request

    monkeypatch.setattr(commands, "recover", asked_of_a_worker)
    with pytest.raises(SystemExit) as ended:
        runs_control.recover(run.id, "roll-back", wait=60)
    assert ended.value.code == 1
    assert "was not done: no intact checkpoint is from before." in capsys.readouterr().err


def test_a_recovery_of_a_run_that_came_to_rest_before_it_is_not_said_to_be_on_its_way(
    living: Callable[[RunState], RunDirectory], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = troubled(living("running"))
    ask = commands.recover

    def asked_of_a_worker_at_its_last_step(*args: Any, **rest: Any) -> RecoveryRequest:
        request = ask(*args, **rest)
        with EventLog(run.events) as log:
            log.append(StoppedEvent, run_id=run.id, directory=str(run.path), step=9, checkpoint=None)
        run.write_state(run.read_state().model_copy(update={"state": "stopped"}))
        return request

    monkeypatch.setattr(commands, "recover", asked_of_a_worker_at_its_last_step)
    with pytest.raises(SystemExit):
        runs_control.recover(run.id, "roll-back", wait=60)
    assert capsys.readouterr().err == f"{run.id} is stopped; roll-back was not done.\n"


def test_F13_a_paused_run_is_shown_with_all_that_matters(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(state="paused")
    with EventLog(run.events) as log:
        log.append(
            PausedEvent,
            step=40,
            checkpoint="checkpoints/step-000040",
            elapsed_seconds=3725.0,
            eta_seconds=95.0,
            values={"loss": 0.5, "memory_bytes": 4e9},
        )
    (run.checkpoints / "step-000040").mkdir(parents=True)
    runs.show_command(run.id)
    shown = {
        line.split()[0]: line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines() if line.strip()
    }
    assert shown["elapsed"] == "1 h 02 min"
    assert shown["remaining"] == "1 min 35 s"
    assert (shown["step"], shown["loss"], shown["checkpoint"]) == ("40", "0.5", "checkpoints/step-000040")
    assert "memory_bytes" in shown
    assert shown["resume"] == f"peftw runs resume {run.id}"


def test_an_anomaly_is_shown_with_the_commands_that_deal_with_it(
    living: Callable[[RunState], RunDirectory], capsys: pytest.CaptureFixture[str]
) -> None:
    run = troubled(living("running"))
    runs.show_command(run.id)
    shown = capsys.readouterr().out
    assert "a-1 at step 3: The loss rises." in shown
    assert f"peftw runs recover {run.id} roll-back" in shown


def test_of_a_run_that_rests_only_what_went_wrong_is_shown(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = troubled(make_run(state="stopped"))
    runs.show_command(run.id)
    shown = capsys.readouterr().out
    assert "a-1 at step 3: The loss rises." in shown
    assert "peftw runs recover" not in shown


def test_stopping_a_paused_run_from_the_command_line_needs_no_wait(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(state="paused")
    runs_control.stop(run.id)
    assert capsys.readouterr().out == f"{run.id} is stopped.\n"
