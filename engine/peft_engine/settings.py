"""What a user has decided for this machine, once for all runs: `settings.yaml` in the state folder."""

from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from peft_engine.home import settings_file
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError

DeviceKind = Literal["cpu", "cuda", "mps"]


class Settings(Word):
    """The content of `settings.yaml`. Every key may be left out."""

    slots: dict[DeviceKind, Annotated[int, Field(ge=1, le=64)]] = {}
    """How many runs may train at once on a device of each kind; 1 where nothing is written. Each of several CUDA
    devices has that many."""


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
