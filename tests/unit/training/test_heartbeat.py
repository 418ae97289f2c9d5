import threading
import time
from types import SimpleNamespace

import pytest

from peft_engine.training.watched.heartbeat import Heartbeat
from peft_engine.watching import thresholds

PATIENCE = 60
"""Seconds to wait for a thread on a loaded machine."""


@pytest.fixture
def heart():
    """A heartbeat that is impatient after a fifth of a second, and what it told."""
    told: list[object] = []
    heard = threading.Event()

    def tell(anomaly):
        told.append(anomaly)
        heard.set()

    heart = Heartbeat(0.2 / 60, thresholds().stall, tell)
    yield SimpleNamespace(heart=heart, told=told, heard=heard)
    heart.stop()


def at(step):
    return SimpleNamespace(global_step=step)


def test_a_loop_that_stands_still_is_told_of_once_with_the_place(heart):
    heart.heart.on_train_begin(None, at(0), None)
    heart.heart.on_step_begin(None, at(6), None)
    heart.heart.on_step_end(None, at(7), None)
    assert heart.heard.wait(PATIENCE)
    time.sleep(1.0)
    (anomaly,) = heart.told
    assert (anomaly.kind, anomaly.step) == ("stall", 7)
    assert "test_heartbeat" in anomaly.cause or "threading" in anomaly.cause
    assert anomaly.evidence["seconds_without_step"] >= 0.2


def test_a_loop_that_stands_still_again_is_told_of_again(heart):
    heart.heart.on_train_begin(None, at(0), None)
    assert heart.heard.wait(PATIENCE)
    heart.heard.clear()
    heart.heart.on_substep_end(None, at(0), None)
    assert heart.heard.wait(PATIENCE)
    assert len(heart.told) == 2


def test_a_loop_that_was_never_begun_is_stopped_in_peace(heart):
    heart.heart.stop()
    assert heart.told == []
