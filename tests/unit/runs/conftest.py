import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peft_engine.process import ProcessIdentity
from peft_engine.rundir import RunDirectory, create_run_directory
from peft_engine.rundir.directory import now
from peft_schemas.events import RunState, StateFile


@pytest.fixture
def make_run(home: Path) -> Callable[..., RunDirectory]:
    """Make a run directory as a launcher leaves it, its worker being any process."""

    def make(name: str = "demo", state: RunState = "running", worker: ProcessIdentity | None = None) -> RunDirectory:
        run = create_run_directory(name)
        run.write_state(
            StateFile(
                run_id=run.id,
                name=name,
                state=state,
                pid=worker.pid if worker else None,
                started=worker.started if worker else None,
                created=now(),
                updated=now(),
                base="org/base",
                config_path="/nowhere/demo.peft.yaml",
                step=0,
                total_steps=None,
            )
        )
        return run

    return make


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A live process in a session of its own, standing where a worker stands."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()
