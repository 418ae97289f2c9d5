"""Where the state of this user lives."""

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """Return the state folder, which may not exist yet: `PEFTW_HOME` when set, else the platform's place for data."""
    chosen = os.environ.get("PEFTW_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_data_dir("peft-workbench", appauthor=False))


def runs_dir() -> Path:
    """Return the folder that holds one directory a run."""
    return home() / "runs"


def models_dir() -> Path:
    """Return the folder of base models that were materialised on this machine, and of the files that define models."""
    return home() / "models"


def logs_dir() -> Path:
    """Return the folder of log files."""
    return home() / "logs"


def queue_dir() -> Path:
    """Return the folder that holds one file a run that waits for its turn."""
    return home() / "queue"


def slots_dir() -> Path:
    """Return the folder of the locks that runs hold while they compute on a device."""
    return home() / "slots"


def settings_file() -> Path:
    """Return the file of the user's own decisions for this machine."""
    return home() / "settings.yaml"


def serve_file() -> Path:
    """Return the file in which the inference process says how it is reached (mode 0600)."""
    return home() / "serve.json"


def token_cache_dir() -> Path:
    """Return the folder of datasets that were tokenised before; removing it only costs time."""
    return home() / "cache" / "tokens"
