"""The run stands still."""

from dataclasses import dataclass

from peft_engine.watching.anomaly import Anomaly
from peft_engine.watching.thresholds import StallThresholds


@dataclass(frozen=True)
class Standstill:
    """How long nothing has moved, and what the process does meanwhile."""

    step: int
    """The last step that ended."""

    seconds: float
    """Since something moved."""

    usual_step: float | None
    """Seconds that a step usually takes, None before the first."""

    cpu_percent: float
    """Of one core, since then."""

    place: str
    """Where the main thread is, for people: `backward in torch/autograd/graph.py`."""


def patience(stall_minutes: float, usual_step: float | None, limits: StallThresholds) -> float:
    """Return the seconds without a step after which a run is said to stand still."""
    return max(stall_minutes * 60, limits.steps * (usual_step or 0.0))


def stall(now: Standstill, stall_minutes: float, limits: StallThresholds) -> Anomaly | None:
    """Look at whether a run stands still.

    Args:
        now: What is known of the run.
        stall_minutes: `watch.stall_minutes`.
        limits: The thresholds.
    """
    if now.seconds < patience(stall_minutes, now.usual_step, limits):
        return None
    doing = "it computes" if now.cpu_percent >= _COMPUTES else "it waits for something"
    return Anomaly(
        "stall",
        now.step,
        f"No step has ended for {now.seconds / 60:.3g} minutes: {doing}, and is at {now.place}.",
        "watch.stall_minutes",
        {"seconds_without_step": now.seconds, "usual_step_seconds": now.usual_step, "cpu_percent": now.cpu_percent},
        now.step,
    )


_COMPUTES = 10.0
"""Percent of a core from which on a process is said to compute."""
