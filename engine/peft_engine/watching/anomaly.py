"""What a detector says."""

from collections.abc import Mapping
from dataclasses import dataclass

from peft_schemas.events import AnomalyKind


@dataclass(frozen=True)
class Anomaly:
    """Something wrong with a run, as one detector sees it."""

    kind: AnomalyKind
    step: int
    cause: str
    """One plain sentence: what is seen and what most likely brings it about."""

    key: str
    """The config key to look at first."""

    evidence: Mapping[str, float | None]
    """The measurements that it is concluded from; None for one that is not a finite number."""

    good_step: int
    """The last step of which nothing bad is known: weights from after it are not to be gone back to."""
