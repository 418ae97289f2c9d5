"""Family `schedule`, part 3: when the run may compute."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_schemas.findings import Finding

_FAMILY = "schedule"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"


@rule(
    "PW420",
    "error",
    _FAMILY,
    "The window opens and closes at the same minute.",
    why="Such a window may mean the whole day or no moment of it, and a run in the queue would show neither.",
    advice="Write when it closes, or delete `window` to let the run compute at any hour.",
    example=_BASE + 'schedule:\n  window: "22:00-22:00"\n',
)
def window_without_length(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `window` that ends where it begins."""
    found = subject.settings("schedule.window", "schedule.at_close")
    if found is None or found[0].value is None:
        return
    window, at_close = found
    opens, _, closes = window.value.partition("-")
    if opens == closes:
        message = f"The window opens and closes at {opens}, so it has no length."
        # Without a window, what happens at its close would be the next finding.
        fixes = [] if at_close.is_written else subject.remove(window.path)
        yield this.about(subject, message, window, fixes=fixes)


@rule(
    "PW421",
    "error",
    _FAMILY,
    "The earliest start is a moment that no calendar has.",
    why="The run could not tell when it may begin, and would fail after it had waited in the queue.",
    advice="Correct the month, the day, the hour or the minute.",
    example=_BASE + 'schedule:\n  not_before: "2026-02-30T22:00"\n',
)
def start_that_is_no_moment(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `not_before` with a thirteenth month, a thirtieth of February or a twenty-fifth hour."""
    start = subject.setting("schedule.not_before")
    if start is None or start.value is None or _moment(start.value) is not None:
        return
    message = f"There is no moment {start.value}."
    yield this.about(subject, message, start, fixes=subject.remove(start.path))


@rule(
    "PW422",
    "warning",
    _FAMILY,
    "The earliest start has passed.",
    why="A moment in the past holds no run back: most likely it was left from an earlier run, or has the wrong year.",
    advice="Write a moment to come, or delete `not_before`.",
    example="# Today is 2026-11-22.\n" + _BASE + 'schedule:\n  not_before: "2025-12-24T22:00"\n',
    known=CheckContext(today=date(2026, 11, 22)),
)
def start_in_the_past(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `not_before` on a day before today."""
    start, today = subject.setting("schedule.not_before"), subject.context.today
    if start is None or start.value is None or today is None:
        return
    moment = _moment(start.value)
    if moment is not None and moment.date() < today:
        message = f"`not_before` has no effect: {start.value} has passed."
        yield this.about(subject, message, start, fixes=subject.remove(start.path))


@rule(
    "PW423",
    "warning",
    _FAMILY,
    "What happens when a window closes is set, and there is no window.",
    why="Without `window` nothing ever closes, so `at_close` changes nothing.",
    advice="Add a `window`, or delete `at_close`.",
    example=_BASE + "schedule:\n  at_close: finish\n",
)
def close_of_no_window(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a written `at_close` without a `window`."""
    found = subject.settings("schedule.at_close", "schedule.window")
    if found is None or not found[0].is_written or found[1].value is not None:
        return
    message = "`at_close` has no effect: there is no window that could close."
    yield this.about(subject, message, found[0], fixes=subject.remove(found[0].path), at_key=True)


def _moment(written: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(written)
    return None
