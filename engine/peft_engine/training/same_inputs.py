"""Whether a run that goes on has the data and the base that its record names. Light.

`peftw runs resume` asks a person about changes before a run is queued. What changes while it waits, for its turn, for
its window of time or for somebody's `torchrun`, is seen here, where the files have been read.
"""

import json
from collections.abc import Mapping
from typing import Any

from peft_engine.rundir import RunDirectory
from peft_schemas.errors import WorkbenchError


def refuse_other_inputs(run: RunDirectory, now: Mapping[str, Any]) -> None:
    """See that data and base are, byte for byte, those that the last worker recorded.

    Args:
        run: The run, which goes on from a checkpoint.
        now: The record that this worker is about to write.

    Raises:
        WorkbenchError: They are others (`resume-changed`).
    """
    try:
        began = json.loads(run.environment.read_bytes())
        before, after = _hashes(began), _hashes(now)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # What it began with is not known any more, which `peftw runs resume` has asked about.
        return
    changed = sorted(name for name, digest in after.items() if before.get(name, digest) != digest)
    if changed:
        raise WorkbenchError(
            "resume-changed",
            f"Run {run.id} did not go on, because this changed since it was last at work: {', '.join(changed)}.",
            f"Run the config again, or go on all the same with `peftw runs resume {run.id} --accept-changes`.",
        )


def _hashes(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of each file by its path. A base that lies elsewhere now has other paths, and is not compared."""
    data = {entry["path"]: entry["sha256"] for entry in record["datasets"]}
    base = record["base"]
    return data | {f"{base['folder']}/{name}": digest for name, digest in base["sha256"].items()}
