"""Runs whose measurements are sent to a tracker."""

from collections.abc import Iterator

import pytest

from peft_engine.rundir import EventLog, RunDirectory
from peft_engine.rundir.tracking import lay_out_tracker
from peft_schemas.config import TrackerConfig
from peft_schemas.events import MetricEvent
from tests.mlflow_server import MlflowStandIn
from tests.unit.store.conftest import make_run_directory


@pytest.fixture
def server() -> Iterator[MlflowStandIn]:
    with MlflowStandIn().serving() as server:
        yield server


def tracked(url: str, losses: list[float | None] | None = None) -> RunDirectory:
    run = make_run_directory(losses=losses)
    lay_out_tracker(run, TrackerConfig(type="mlflow", url=url, experiment="desk"))
    return run


def measure(run: RunDirectory, step: int) -> None:
    with EventLog(run.events) as log:
        log.append(MetricEvent, step=step, epoch=0.0, values={"loss": 0.5})
