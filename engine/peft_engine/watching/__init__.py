"""Seeing that a run goes wrong: detectors over the series of its measurements. Light: no torch.

A detector is a pure function of the series and says what it sees, each time anew. `Watch` keeps the series, and says
each anomaly once.
"""

from peft_engine.watching.anomaly import Anomaly
from peft_engine.watching.series import Evaluation, Measurement, Series
from peft_engine.watching.thresholds import Thresholds, thresholds
from peft_engine.watching.watch import Watch

__all__ = ["Anomaly", "Evaluation", "Measurement", "Series", "Thresholds", "Watch", "thresholds"]
