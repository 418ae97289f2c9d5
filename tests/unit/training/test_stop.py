import os
import signal

import pytest

from peft_engine.training.stop import StopRequest, StopRequested
from peft_schemas.events import ControlFile


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nobody_asked(run):
    stop = StopRequest(run)
    stop.check()
    assert not stop.requested()


def test_the_control_file_asks(run):
    stop = StopRequest(run)
    run.write_control(ControlFile(command="stop"))
    assert stop.requested()
    with pytest.raises(StopRequested):
        stop.check()


def test_a_signal_asks_as_the_control_file_does(run):
    stop = StopRequest(run)
    stop.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested()


def test_a_wish_once_uttered_stays(run):
    stop = StopRequest(run)
    run.write_control(ControlFile(command="stop"))
    assert stop.requested()
    run.write_control(ControlFile(command="run"))
    assert stop.requested()
