"""What a user has decided for this machine, once for all runs: `settings.yaml` in the state folder."""

from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from peft_engine.home import settings_file
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError

DeviceKind = Literal["cpu", "cuda", "mps"]


class RetentionRule(Word):
    """What is kept of one kind of thing. What is left out sets no limit; what any limit excludes may go."""

    days: Annotated[float, Field(gt=0)] | None = None
    """How long it is kept after it was last written."""

    count: Annotated[int, Field(ge=0)] | None = None
    """How many of the newest are kept."""

    size_gb: Annotated[float, Field(ge=0)] | None = None
    """How much the newest that are kept may take together, in GB of 10^9 bytes."""


class Retention(Word):
    """What `peftw runs clean` names. Nothing is removed before you agree."""

    runs: RetentionRule = RetentionRule()
    """Whole runs that are at rest. A completed run that is the only copy of its version is never named."""

    checkpoints: RetentionRule = RetentionRule()
    """Checkpoints of runs that are at rest. The newest of a run that can be resumed is never named."""

    logs: RetentionRule = RetentionRule()
    """The raw output of workers that have ended."""

    free_gb: Annotated[float, Field(ge=0)] = 5.0
    """Free space, in GB, below which the editor asks whether to clean up. 5 is our own choice: two checkpoints of a
    model of a billion parameters trained in full."""


class Settings(Word):
    """The content of `settings.yaml`. Every key may be left out."""

    slots: dict[DeviceKind, Annotated[int, Field(ge=1, le=64)]] = {}
    """How many runs may train at once on a device of each kind; 1 where nothing is written. Each of several CUDA
    devices has that many."""

    retention: Retention = Retention()
    """What may go when space is wanted."""


def read_settings() -> Settings:
    """Return the user's settings, all defaults where there is no file.

    Raises:
        WorkbenchError: The file cannot be read or holds something else (`config-invalid`).
    """
    path = settings_file()
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Settings.model_validate({} if data is None else data)
    except FileNotFoundError:
        return Settings()
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"] if part != "[key]") or "the whole file"
        reason = f"{where}: {fault['msg']}"
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        reason = f"{line}{error.problem}"
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
    raise WorkbenchError(
        "config-invalid",
        f"The settings in {path} cannot be used: {reason}.",
        "Correct the file or delete it; `docs/how-to/queue.md` names its keys.",
    )
