"""Workers that wait, take turns and end as all workers do, and cost next to nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nurse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Something to start workers with in the place of a Python interpreter."""
    folder = tmp_path_factory.mktemp("nursery")
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    nurse = folder / "python"
    nurse.write_text(f'#!/bin/sh\necho "$PEFTW_HOME $3" > {fifo}\n')
    nurse.chmod(0o755)
    command = [sys.executable, "-m", "tests.integration.queue.nursery", str(fifo)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3])
    yield nurse
    process.kill()
    process.wait()
