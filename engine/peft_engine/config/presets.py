"""Presets: partial configs of the user's own, found beside a config file or in the user's library.

A preset `NAME` is the file `presets/NAME.yaml` in the folder of the config that names it, else in the state folder.
"""

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from peft_engine.config.document import parse
from peft_engine.config.read import read_source
from peft_engine.home import home
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError

FOLDER = "presets"
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
    names = {path.stem for place in _places(folder) for path in place.glob("*.yaml") if _NAME.fullmatch(path.stem)}
    return tuple(sorted(names))


def load_preset(path: Path) -> Preset:
    """Read a preset.

    Raises:
        WorkbenchError: It cannot be read, or is no preset (`config-invalid`).
    """
    document = parse(read_source(path))
    try:
        if document.problems:
            raise ValueError(document.problems[0].message)
        return Preset.model_validate(document.to_plain())
    except (ValidationError, ValueError) as error:
        raise WorkbenchError(
            "config-invalid",
            f"{path} is no preset: {str(error).splitlines()[0]}",
            "A preset is a mapping with `values`, which holds sections such as `training`.",
        ) from error


def _places(folder: Path | None) -> list[Path]:
    return [*([] if folder is None else [folder / FOLDER]), home() / FOLDER]
