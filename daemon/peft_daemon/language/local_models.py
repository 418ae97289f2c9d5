"""Which base models this machine has, by name: nothing is opened, only folders are listed."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from peft_daemon.language.context import MODEL_SUFFIXES
from peft_engine.home import models_dir
from peft_engine.models.resolve import hub_cache
from peft_engine.profiles import known_models

_MOST = 200
"""Names that are looked at in one folder."""


def local_models(folder: Path | None) -> dict[str, str]:
    """Return what `model.base` can be on this machine, each with a word about where it is, the nearest first.

    Args:
        folder: The folder of the config, None when it has none.
    """
    found = {name: f"{model.licence}, known offline" for name, model in known_models().items()}
    if folder is not None:
        for name in _names(folder):
            path = folder / name
            if name.lower().endswith(MODEL_SUFFIXES) or (path / "config.json").is_file():
                found.setdefault(name if path.is_file() else f"./{name}", "beside this file")
    for name in _names(models_dir()):
        if not name.startswith(("file--", ".")):
            found.setdefault(name.partition("@")[0].replace("--", "/", 1), "prepared on this machine")
    for name in _names(hub_cache()):
        if name.startswith("models--"):
            found.setdefault(name.removeprefix("models--").replace("--", "/", 1), "in the hub's cache")
    return found


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entry.name for entry in islice(entries, _MOST) if not entry.name.startswith("."))
    except OSError:
        return
