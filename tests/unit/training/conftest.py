import pytest
import torch

from peft_engine.rundir import create_run_directory
from peft_engine.rundir.directory import now
from peft_schemas.events import ControlFile, StateFile


@pytest.fixture
def run():
    """A run directory as the launcher leaves it."""
    made = create_run_directory("demo")
    made.write_control(ControlFile())
    made.write_state(
        StateFile(
            run_id=made.id,
            name="demo",
            state="queued",
            pid=None,
            started=None,
            created=now(),
            updated=now(),
            base="org/name",
            config_path="/nowhere/demo.peft.yaml",
            step=0,
            total_steps=None,
        )
    )
    return made


@pytest.fixture
def set_threads():
    """Set how many threads torch has, until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
