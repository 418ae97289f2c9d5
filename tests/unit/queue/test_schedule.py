"""When a run may compute, with a clock and sensors that the tests set."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.queue.schedule import Gate, Readings, next_start, read_sensors
from peft_schemas.config import ScheduleConfig


class Machine:
    """A clock and sensors."""

    def __init__(self, moment: str = "2026-11-20 12:00") -> None:
        self.moment = datetime.fromisoformat(moment)
        self.readings = Readings(on_battery=None, temperature=None)

    def gate(self, **schedule: object) -> Gate:
        return Gate(ScheduleConfig.model_validate(schedule), clock=lambda: self.moment, sensors=lambda: self.readings)


def test_F23_without_a_schedule_a_run_may_always_compute() -> None:
    gate = Machine().gate()
    assert gate.closed() is None
    assert gate.always_open


@pytest.mark.parametrize(
    ("at", "next_open"),
    [
        ("21:59", "2026-11-20 22:00"),
        ("22:00", None),
        ("23:59", None),
        ("00:00", None),
        ("05:59", None),
        ("06:00", "2026-11-20 22:00"),
    ],
)
def test_F23_a_window_over_midnight_opens_and_closes_to_the_minute(at: str, next_open: str | None) -> None:
    closed = Machine(f"2026-11-20 {at}").gate(window="22:00-06:00").closed()
    assert closed is None if next_open is None else closed is not None and next_open in closed


@pytest.mark.parametrize(
    ("at", "next_open"),
    [("08:59", "2026-11-20 09:00"), ("09:00", None), ("16:59", None), ("17:00", "2026-11-21 09:00")],
)
def test_F23_a_window_within_a_day_opens_again_tomorrow(at: str, next_open: str | None) -> None:
    closed = Machine(f"2026-11-20 {at}").gate(window="09:00-17:00").closed()
    assert closed is None if next_open is None else closed is not None and next_open in closed


def test_F23_not_before_and_a_window_both_hold() -> None:
    machine = Machine("2026-11-20 23:00")
    gate = machine.gate(not_before="2026-12-24T12:00", window="22:00-06:00")
    assert "2026-12-24 22:00" in (gate.closed() or "")
    machine.moment = datetime.fromisoformat("2026-12-24 22:00")
    assert gate.closed() is None


def test_F23_what_has_begun_outlasts_its_window_only_where_it_may_finish() -> None:
    pausing = Machine("2026-11-20 07:00").gate(window="22:00-06:00")
    finishing = Machine("2026-11-20 07:00").gate(window="22:00-06:00", at_close="finish")
    assert pausing.closed(begun=True) is not None
    assert finishing.closed(begun=True) is None
    assert finishing.closed() is not None


def test_F23_on_battery_a_run_waits_for_mains_power() -> None:
    machine = Machine()
    gate = machine.gate(ac_power=True, at_close="finish")
    assert gate.closed() is None, "a machine without a battery has mains power"
    machine.readings = Readings(on_battery=True, temperature=None)
    assert "mains power" in (gate.closed(begun=True) or "")
    machine.readings = Readings(on_battery=False, temperature=None)
    assert gate.closed() is None


def test_F23_a_hot_machine_must_cool_by_five_degrees() -> None:
    machine = Machine()
    gate = machine.gate(max_temperature=80.0)
    said = []
    for temperature in (None, 79.0, 80.0, 80.1, 79.0, 75.1, 75.0, 80.0):
        machine.readings = Readings(on_battery=None, temperature=temperature)
        said.append(gate.closed(begun=True))
    assert [closed is not None for closed in said] == [False, False, False, True, True, True, False, False]
    assert {closed for closed in said if closed} == {"waiting until the machine has cooled to 75 °C"}


_MINUTES = st.integers(0, 24 * 60 - 1).map(lambda n: f"{n // 60:02d}:{n % 60:02d}")


@given(
    opens=_MINUTES,
    closes=_MINUTES,
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    delay=st.one_of(st.none(), st.integers(-5000, 5000)),
)
def test_F23_the_next_start_is_the_first_minute_that_is_allowed(
    opens: str, closes: str, moment: datetime, delay: int | None
) -> None:
    not_before = None if delay is None else f"{moment + timedelta(minutes=delay):%Y-%m-%dT%H:%M}"
    schedule = ScheduleConfig(window=f"{opens}-{closes}", not_before=not_before)
    start = next_start(schedule, moment)
    assert start >= moment
    assert start - moment <= timedelta(days=1) + max(timedelta(0), timedelta(minutes=delay or 0))
    assert next_start(schedule, start) == start
    if start > moment:
        before = start - timedelta(seconds=1)
        assert before < moment or next_start(schedule, before) == start
        inside = opens <= f"{start:%H:%M}" < closes
        assert inside if opens < closes else f"{start:%H:%M}" >= opens or f"{start:%H:%M}" < closes


def test_the_sensors_of_this_machine_can_be_read() -> None:
    readings = read_sensors()
    assert readings.on_battery in (None, True, False)
