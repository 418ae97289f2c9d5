"""What stands in a run directory before its worker starts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peft_engine.rundir.directory import RunDirectory, now
from peft_engine.rundir.tracking import lay_out_tracker
from peft_schemas.config import RunConfig
from peft_schemas.events import ControlFile, StateFile


def lay_out(run: RunDirectory, config: RunConfig, source: Path, *, explained: Sequence[Any] = ()) -> StateFile:
    """Write the config, an empty control file and where measurements are sent, and return the first state.

    The state is not written: a directory counts as a run once it has one, so that comes last and is the caller's.

    Args:
        run: A directory without a run.
        config: Every effective value.
        source: The file that the run is started from.
        explained: Where each value came from, as `peftw explain --json` has it.
    """
    file = str(source.absolute())
    run.write_resolved({"config": config.model_dump(mode="json"), "explained": list(explained), "source": file})
    run.write_control(ControlFile())
    lay_out_tracker(run, config.tracker)
    time = now()
    return StateFile(
        run_id=run.id,
        name=str(config.name),
        state="queued",
        pid=None,
        started=None,
        created=time,
        updated=time,
        base=config.model.base,
        config_path=file,
        step=0,
        total_steps=None,
        priority=config.schedule.priority,
    )
