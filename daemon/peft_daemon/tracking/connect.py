"""From what a config says of a tracker to a connection."""

import os
from urllib.parse import urlsplit

from peft_connectors.http import origin
from peft_connectors.mlflow import MlflowTracker
from peft_connectors.tracker import Tracker, TrackerRefused
from peft_schemas.tracking import TrackerFile

_TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105  (the name of a variable)
_SERVER = "MLFLOW_TRACKING_URI"


def connect(file: TrackerFile) -> Tracker:
    """Return a connection to the tracker of a run; nothing is sent yet.

    Raises:
        TrackerRefused: The address is none.
    """
    try:
        parts = urlsplit(file.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError
        return MlflowTracker(file.url, token=_token(file.url))
    except ValueError as error:
        raise TrackerRefused(
            "The run's tracker has no address that can be asked.", "Correct `tracker.url` and run the config again."
        ) from error


def _token(url: str) -> str | None:
    """Return the user's token, if it is for this server.

    A config comes from anywhere and names any server. The token goes only to the one that the user's own environment
    names with it.
    """
    server = os.environ.get(_SERVER, "")
    return os.environ.get(_TOKEN) if origin(server) == origin(url) else None
