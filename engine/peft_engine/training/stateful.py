"""What a checkpoint holds beside weights, optimizer and generators: the state of our own parts of the loop."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

STATES = "workbench_state.json"
"""The file in a checkpoint."""


class Stateful(Protocol):
    """Something in the loop that must go on where it was when a run is resumed."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state in values that JSON holds; a Python float keeps every bit there."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that `state_dict` returned, perhaps of an earlier version of this class."""


def save_states(folder: Path, parts: Mapping[str, Stateful]) -> None:
    """Write each part's state under its name."""
    states = {name: part.state_dict() for name, part in parts.items()}
    (folder / STATES).write_text(json.dumps(states, indent=2) + "\n", encoding="utf-8")


def load_states(folder: Path, parts: Mapping[str, Stateful]) -> None:
    """Hand each part its state; one that the checkpoint does not know stays as it is."""
    states = json.loads((folder / STATES).read_bytes())
    for name, part in parts.items():
        if name in states:
            part.load_state_dict(states[name])
