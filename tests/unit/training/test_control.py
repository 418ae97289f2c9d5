import os
import signal
import time

import pytest

from peft_engine.training.control import Control, Interrupted
from peft_schemas.events import ControlFile, RecoveryRequest


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nobody_asked(run):
    control = Control(run)
    control.check()
    assert (control.command(), control.requested(), control.recoveries()) == ("run", False, [])


@pytest.mark.parametrize("command", ["pause", "stop", "cancel"])
def test_the_control_file_asks(run, command):
    control = Control(run)
    run.write_control(ControlFile(command=command))
    assert control.command() == command
    with pytest.raises(Interrupted):
        control.check()


def test_a_signal_asks_to_stop_as_the_control_file_does(run):
    control = Control(run)
    control.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    assert control.command() == "stop"


@pytest.mark.parametrize("command", ["pause", "stop", "cancel"])
def test_what_takes_long_and_saves_nothing_is_broken_off(run, command):
    control = Control(run)
    control.listen()
    begun = time.monotonic()
    with pytest.raises(Interrupted), control.at_once():
        run.write_control(ControlFile(command=command))
        # As a library does when it is imported: what goes wrong in it is told as something else.
        try:
            time.sleep(60)
        except Exception as error:
            raise ImportError("no such library") from error
    assert time.monotonic() - begun < 30
    assert control.command() == command


def test_an_error_of_its_own_is_no_wish_of_anybodys(run):
    control = Control(run)
    control.listen()
    with pytest.raises(ImportError), control.at_once():
        raise ImportError("no such library")


def test_nothing_is_broken_off_after_that(run):
    control = Control(run)
    control.listen()
    with control.at_once():
        pass
    run.write_control(ControlFile(command="cancel"))
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.5)
    assert control.command() == "cancel"


def test_a_wish_once_uttered_stays(run):
    control = Control(run)
    run.write_control(ControlFile(command="stop"))
    assert control.requested()
    run.write_control(ControlFile(command="run"))
    assert control.command() == "stop"


def test_a_wish_that_goes_further_takes_the_place_of_the_first_and_never_the_other_way(run):
    control = Control(run)
    for asked, heard in (("requeue", "requeue"), ("pause", "pause"), ("cancel", "cancel"), ("stop", "cancel")):
        control.ask(asked)
        assert control.command() == heard


def test_a_schedule_that_closes_puts_the_run_back_into_the_queue(run):
    control, closed = Control(run), []
    control.heed(lambda: bool(closed))
    assert control.command() == "run"
    closed.append(True)
    assert control.command() == "requeue"


def test_a_damaged_control_file_asks_for_nothing(run):
    (run.path / "control.json").write_text('{"command": "st')
    assert Control(run).command() == "run"


def test_recoveries_are_handed_on_in_their_order(run):
    asked = [RecoveryRequest(id="a", action="roll-back"), RecoveryRequest(id="b", action="undo", undoes="a")]
    run.write_control(ControlFile(recoveries=asked))
    assert Control(run).recoveries() == asked
