"""Presets: partial configs of the user's own, found beside a config file or in the user's library.

A preset `NAME` is the file `presets/NAME.yaml` in the folder of the config that names it, else in the state folder.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from peft_engine.config.document import parse
from peft_engine.config.read import read_source
from peft_engine.home import home
from peft_schemas.base import Word
from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError

FOLDER = "presets"
_DEPTH_OF_KEYS = 2
"""How deep a key lies that is named by itself in a refusal: `section.key`."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Preset(Word):
    """The content of a preset's file."""

    title: str = ""
    description: str = ""
    values: dict[str, dict[str, Any]]
    """Config values by section."""


def preset_path(name: str, folder: Path | None) -> Path | None:
    """Return the file of a preset, None when there is none of that name."""
    if not _NAME.fullmatch(name):
        return None
    return next((path for path in (place / f"{name}.yaml" for place in _places(folder)) if path.is_file()), None)


def preset_names(folder: Path | None) -> tuple[str, ...]:
    """Return the names of the presets that a config in a folder can use."""
    files = (path for place in _places(folder) for path in place.glob("*.yaml") if _NAME.fullmatch(path.stem))
    return tuple(sorted({path.stem for path in files if path.is_file()}))


def load_preset(path: Path) -> Preset:
    """Read a preset.

    Raises:
        WorkbenchError: It cannot be read, or holds what a config cannot (`config-invalid`).
    """
    document = parse(read_source(path))
    if document.problems:
        raise _unusable(path, document.problems[0].message)
    try:
        preset = Preset.model_validate(document.to_plain())
        RunConfig.model_validate(_as_config(preset.values))
    except ValidationError as error:
        raise _unusable(path, _reason(error)) from error
    return preset


def _as_config(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the least config that has the values."""
    return {"version": 1, "datasets": [{"path": "-"}], **values, "model": {"base": "-", **values.get("model", {})}}


def _reason(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(map(str, fault["loc"][:2]))
    if not place:
        return "It is no mapping with `values`."
    if fault["type"] == "missing":
        return f"`{place}` is missing."
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) <= _DEPTH_OF_KEYS:
        return f"`{place}` is no key of the config language."
    return f"`{place}` has a value that it cannot have."


def _unusable(path: Path, reason: str) -> WorkbenchError:
    remedy = f"Correct {path}: a preset is a mapping with `values`, which holds sections such as `training`."
    return WorkbenchError("config-invalid", f"The preset {path.stem} cannot be used. {reason}", remedy)


def _places(folder: Path | None) -> list[Path]:
    return [*([] if folder is None else [folder / FOLDER]), home() / FOLDER]
