"""Which of the processes that train a run together this one is. Light: torch's own words in the environment, no torch.

`torchrun`, `accelerate launch` and our own worker say it alike, so that nothing here need know which one started it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = "PEFTW_TOGETHER"
"""Names the folder that a worker shares with the processes that it started; not set where `torchrun` started them."""


@dataclass(frozen=True)
class Place:
    """A process among those that train a run together."""

    rank: int = 0
    local_rank: int = 0
    """Among those on the same machine: the number of the device that is its own."""

    processes: int = 1
    """On all machines."""

    local_processes: int = 1
    """On this machine."""

    folder: Path | None = None
    """Where the processes of one worker meet, and leave word of why they ended."""

    @property
    def leads(self) -> bool:
        """Whether it is the one that writes the run directory and hears people."""
        return self.rank == 0

    @property
    def by_hand(self) -> bool:
        """Whether somebody's `torchrun` or `accelerate launch` started it, and not a worker of ours."""
        return self.processes > 1 and self.folder is None

    def environment(self) -> dict[str, str]:
        """Return the variables that say so."""
        named = {} if self.folder is None else {FOLDER: str(self.folder)}
        return {
            "RANK": str(self.rank),
            "LOCAL_RANK": str(self.local_rank),
            "WORLD_SIZE": str(self.processes),
            "LOCAL_WORLD_SIZE": str(self.local_processes),
            **named,
        }


def this_place(environment: Mapping[str, str] = os.environ) -> Place:
    """Return the place of the calling process, which stands alone unless the environment says otherwise."""
    folder = environment.get(FOLDER)
    return Place(
        rank=int(environment.get("RANK", "0")),
        local_rank=int(environment.get("LOCAL_RANK", "0")),
        processes=int(environment.get("WORLD_SIZE", "1")),
        local_processes=int(environment.get("LOCAL_WORLD_SIZE", "1")),
        folder=None if folder is None else Path(folder),
    )
