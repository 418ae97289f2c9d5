"""When a run may compute: its `schedule` against the clock and the machine's sensors."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import psutil

from peft_schemas.config import ScheduleConfig

_COOLED_BY = 5.0
"""Degrees below `max_temperature` at which a run that waited for it may compute again, so that it does not flutter."""

Clock = Callable[[], datetime]
"""Tells the local time, without a zone: a schedule means the clock on the wall."""


@dataclass(frozen=True)
class Readings:
    """What the sensors say. None where the machine has none, which keeps no run from computing."""

    on_battery: bool | None
    temperature: float | None
    """Of the hottest part, in degrees Celsius."""


Sensors = Callable[[], Readings]


def wall_clock() -> datetime:
    """Return the local time."""
    return datetime.now()


def read_sensors() -> Readings:
    """Return what the sensors of this machine say."""
    # Neither exists on every platform.
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    parts = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    return Readings(
        on_battery=None if battery is None else not battery.power_plugged,
        temperature=max((entry.current for entries in parts.values() for entry in entries), default=None),
    )


class Gate:
    """Tells again and again whether a run may compute now."""

    def __init__(self, schedule: ScheduleConfig, *, clock: Clock = wall_clock, sensors: Sensors = read_sensors) -> None:
        """Make the gate of a schedule.

        Args:
            schedule: What the config says.
            clock: Tells the time.
            sensors: Reads the sensors; asked only where the schedule depends on them.
        """
        self._schedule = schedule
        self._clock = clock
        self._sensors = sensors
        self._hot = False

    @property
    def always_open(self) -> bool:
        """Whether nothing can close it."""
        schedule = self._schedule
        return (schedule.not_before, schedule.window, schedule.ac_power, schedule.max_temperature) == (
            None,
            None,
            False,
            None,
        )

    def closed(self, *, begun: bool = False) -> str | None:
        """Return for people what the run must wait for, None when it may compute.

        Args:
            begun: Whether the run computes already: then `at_close: finish` lets it outlast its window.
        """
        outlasts = begun and self._schedule.at_close == "finish"
        return (None if outlasts else self._too_early()) or self._unfit()

    def _too_early(self) -> str | None:
        moment = self._clock()
        start = next_start(self._schedule, moment)
        return None if start <= moment else f"waiting until {start:%Y-%m-%d %H:%M}, when its schedule lets it compute"

    def _unfit(self) -> str | None:
        limit = self._schedule.max_temperature
        if not self._schedule.ac_power and limit is None:
            return None
        readings = self._sensors()
        if limit is not None and readings.temperature is not None:
            self._hot = readings.temperature > (limit - _COOLED_BY if self._hot else limit)
        if self._schedule.ac_power and readings.on_battery:
            return "waiting for mains power, because the machine runs on battery"
        if self._hot and limit is not None:
            return f"waiting until the machine has cooled to {limit - _COOLED_BY:g} °C"
        return None


def next_start(schedule: ScheduleConfig, moment: datetime) -> datetime:
    """Return the first moment, `moment` itself or later, at which clock and calendar let a run compute."""
    earliest = moment
    if schedule.not_before is not None:
        earliest = max(moment, datetime.fromisoformat(schedule.not_before))
    if schedule.window is None:
        return earliest
    opens, closes = window_of(schedule.window)
    if _is_open(opens, closes, earliest.time()):
        return earliest
    today = datetime.combine(earliest.date(), opens)
    return today if today > earliest else today + timedelta(days=1)


def window_of(text: str) -> tuple[time, time]:
    """Return when a window such as `22:00-06:00` opens and closes."""
    opens, _, closes = text.partition("-")
    return time.fromisoformat(opens), time.fromisoformat(closes)


def _is_open(opens: time, closes: time, moment: time) -> bool:
    if opens < closes:
        return opens <= moment < closes
    return moment >= opens or moment < closes
