"""What the launcher asks for, as it lies in the run directory."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from peft_engine.rundir import RunDirectory
from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError


@dataclass(frozen=True)
class Request:
    """A resolved config and where its relative paths start."""

    config: RunConfig
    folder: Path
    """The folder of the user's config file."""


def read_request(run: RunDirectory) -> Request:
    """Read `config.resolved.json`.

    Raises:
        WorkbenchError: It is missing or damaged (`config-missing`, `config-invalid`).
    """
    try:
        data = run.read_resolved()
        config = RunConfig.model_validate_json(json.dumps(data["config"]))
        return Request(config, Path(data["source"]).parent)
    except OSError as error:
        message = f"The resolved config of run {run.id} cannot be read."
        raise WorkbenchError("config-missing", message, "Start the run again from its config file.") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        message = f"The resolved config of run {run.id} is damaged."
        raise WorkbenchError("config-invalid", message, "Start the run again from its config file.") from error
