"""Workers that wait, take turns and end as all workers do, and cost next to nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.nursery import nursery


@pytest.fixture(scope="session")
def nurse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Something to start workers with in the place of a Python interpreter."""
    with nursery(tmp_path_factory.mktemp("nursery"), "tests.integration.queue.idlers:idle") as python:
        yield python
