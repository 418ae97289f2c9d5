"""Runs to be done something to."""

from collections.abc import Callable

import pytest

from peft_engine.rundir import RunDirectory
from tests.unit.store.conftest import make_run_directory


@pytest.fixture
def make_run(home: object) -> Callable[..., RunDirectory]:
    return make_run_directory
