"""The state of a run whose `state.json` was damaged, worked out of what else its directory says."""

from typing import Any

from peft_engine.rundir.directory import RunDirectory, now
from peft_engine.rundir.events import EventTail
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import LAST_WORDS, FailedEvent, MetricEvent, PausedEvent, ResumedEvent, StateEvent, StateFile


def mended_state(run: RunDirectory) -> StateFile:
    """Return the state that the run's events come to. Who its worker is, only that worker knows.

    Raises:
        WorkbenchError: The config is damaged too (`run-missing`).
    """
    try:
        record = run.read_resolved()
        base: str = record["config"]["model"]["base"]
        source: str = record["source"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(
            "run-missing",
            f"Neither the state nor the config of run {run.id} in {run.path} can be read.",
            "Its checkpoints are still there; run the config again for a new run.",
        ) from error
    events = EventTail(run.events).read()
    found: dict[str, Any] = {"state": "queued", "attempt": 1, "step": 0, "since": 0, "error": None}
    for event in events:
        if isinstance(event, StateEvent):
            found["state"] = event.state
        elif isinstance(event, ResumedEvent):
            found |= {"attempt": event.attempt, "step": event.step}
        elif isinstance(event, MetricEvent):
            found["step"] = event.step
        elif isinstance(event, (*LAST_WORDS, PausedEvent)):
            fault = event.error if isinstance(event, FailedEvent) else None
            found |= {"state": event.type, "step": event.step, "error": fault}
            # Should more follow, it is of the next worker.
            found["since"] = event.seq
    return StateFile(
        run_id=run.id,
        name=run.id.rpartition("-")[0],
        pid=None,
        started=None,
        created=events[0].time if events else now(),
        updated=now(),
        base=base,
        config_path=source,
        total_steps=next((event.total_steps for event in reversed(events) if event.type == "plan"), None),
        **found,
    )
