"""The folders in which models are looked for on this machine."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import environ
from pathlib import Path

from peft_engine.library.bounds import Layout, Root, library_bounds
from peft_engine.settings import read_settings
from peft_schemas.library import ModelSource

_VARIABLE = re.compile(r"\$([A-Z0-9_]+)")


@dataclass(frozen=True)
class Place:
    """A folder that exists, with no link left in its path, and how what is in it is arranged."""

    source: ModelSource
    layout: Layout
    folder: Path


def places() -> list[Place]:
    """Return the folders of other tools that there are, and those of the user's settings; each folder once.

    Raises:
        WorkbenchError: The settings cannot be read (`config-invalid`).
    """
    wanted = [(root.source, root.layout, _place_of(root)) for root in library_bounds().roots]
    wanted += [("folder", "tree", Path(folder)) for folder in read_settings().models.folders]
    found: dict[Path, Place] = {}
    for source, layout, path in wanted:
        for folder in _existing(path):
            found.setdefault(folder, Place(source, layout, folder))
    return list(found.values())


def _place_of(root: Root) -> Path | None:
    for place in root.places:
        if all(environ.get(name) for name in _VARIABLE.findall(place)):
            return Path(_VARIABLE.sub(lambda match: environ[match[1]], place))
    return None


def _existing(path: Path | None) -> Iterator[Path]:
    if path is None:
        return
    try:
        folder = path.expanduser().resolve()
        if folder.is_dir():
            yield folder
    except (OSError, RuntimeError):
        # No home folder, a loop of links, or no permission: there is nothing to be found.
        return
