import pytest

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
