"""A run that takes a while to move: one of its files is large, and is a hole that takes no room."""

import os

from peft_engine.rundir import RunDirectory
from tests.unit.store.conftest import make_run_directory

BYTES = 1 << 29


def make_large_run(name: str = "demo", size: int = BYTES) -> RunDirectory:
    """Lay out a run that completed, as `make_run_directory` does, with a file of so many bytes in its result."""
    run = make_run_directory(name)
    weights = run.adapter / "optimizer.bin"
    weights.touch()
    os.truncate(weights, size)
    return run
