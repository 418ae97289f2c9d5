"""What the processes that train a run together say to each other, beside the gradients. Heavy: torch.distributed.

Each method is to be called by all of them, in the same order; alone, each costs nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self, TypeVar

import torch
from torch import distributed

from peft_engine.training.distributed.place import Place

Value = TypeVar("Value")

_PATIENCE = timedelta(minutes=30)
"""How long one waits for another: the first may write a large checkpoint, or convert the result, meanwhile."""


class Group:
    """The processes that train a run together."""

    def __init__(self, place: Place, device: torch.device) -> None:
        """Meet the others, and wait until all are there.

        Args:
            place: Of this process.
            device: The kind of device that is trained on; of several of a kind, each process takes its own.
        """
        self.place = place
        self._talk: Any = None
        if place.processes == 1:
            return
        if device.type == "cuda":
            torch.cuda.set_device(place.local_rank)
        distributed.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            # Our launcher's processes meet at a file, which needs no free port; others say where in the environment.
            init_method="env://" if place.folder is None else (place.folder / "meeting").as_uri(),
            rank=place.rank,
            world_size=place.processes,
            timeout=_PATIENCE,
        )
        # What is said lies in the machine's memory, whatever the gradients lie in.
        self._talk = distributed.new_group(backend="gloo", timeout=_PATIENCE)

    @property
    def leads(self) -> bool:
        """Whether this process writes the run directory and hears people."""
        return self.place.leads

    @property
    def processes(self) -> int:
        """How many train together."""
        return self.place.processes

    def own(self, device: torch.device) -> torch.device:
        """Return the device of this process, of several of its kind."""
        return torch.device("cuda", self.place.local_rank) if device.type == "cuda" and self.processes > 1 else device

    def sum(self, *values: float) -> list[float]:
        """Return the sums of each value over all processes, the same to the bit in each."""
        if self._talk is None:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(sums, group=self._talk)
        return list(sums.tolist())

    def share(self, value: Value) -> Value:
        """Return the first process's value."""
        if self._talk is None:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0, group=self._talk)
        return box[0]

    def collect(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank."""
        if self._talk is None:
            return [value]
        values: list[Any] = [None] * self.processes
        distributed.all_gather_object(values, value, group=self._talk)
        return values

    @contextmanager
    def first_one_first(self) -> Iterator[None]:
        """Have the first process do something before the others do it too, and find it done in a cache."""
        if not self.leads:
            self.share(None)
        yield
        if self.leads:
            self.share(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Part, once nothing more is to be said."""
        if self._talk is not None:
            distributed.destroy_process_group()
            self._talk = None
