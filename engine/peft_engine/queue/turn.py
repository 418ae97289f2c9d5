"""Taking a turn: the slots of the devices that a run needs, once nobody before it wants them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from peft_engine.queue.devices import Claim, spoken
from peft_engine.queue.line import line
from peft_engine.queue.slots import Busy, Slot, take
from peft_engine.rundir import RunDirectory
from peft_engine.settings import read_settings


@dataclass(frozen=True)
class Turn:
    """The right to compute, until it is released or the process ends."""

    slots: tuple[Slot, ...]

    @property
    def devices(self) -> list[str]:
        """The names of the devices that are held."""
        return [slot.device for slot in self.slots]

    def release(self) -> None:
        """Let others compute."""
        for slot in self.slots:
            slot.release()


def try_turn(run: RunDirectory, wanted: Claim) -> Turn | str:
    """Take the run's turn if it has come, else return for people what it waits for.

    While it returns a text, the run stands in the line, and no later run of the same or a lower priority gets a device
    that this one could take.

    Raises:
        WorkbenchError: The user's settings cannot be used.
    """
    limit = read_settings().slots.get(wanted.kind, 1)
    with line() as queue:
        slots: list[Slot] = []
        holders: set[str] = set()
        busy: list[str] = []
        for device in wanted.devices:
            if len(slots) < wanted.count:
                match take(device, limit, run.id):
                    case Slot() as slot:
                        slots.append(slot)
                    case Busy(held_by):
                        holders.update(held_by)
                        busy.append(device)
        enough = len(slots) == wanted.count
        before = queue.before(run, wanted.devices) if enough else None
        if enough and before is None:
            queue.leave(run)
            return Turn(tuple(slots))
        Turn(tuple(slots)).release()
        queue.join(run, wanted.devices)
    return _waiting_for_computing(holders, busy) if before is None else f"waiting for {before} to go first"


def leave(run: RunDirectory) -> None:
    """Take a run out of the line, so that those behind it do not wait for one that may not start yet."""
    with line() as queue:
        queue.leave(run)


def _waiting_for_computing(holders: Collection[str], devices: Sequence[str]) -> str:
    who = " and ".join(sorted(holders))
    does = "train" if len(holders) > 1 else "trains"
    return f"waiting for {who}, which {does} on {' and '.join(map(spoken, devices))}"
