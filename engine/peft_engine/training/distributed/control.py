"""What a person asks of one of several processes: the first one hears it and tells all, who do it at one step edge."""

from peft_engine.training.control import Command, Control
from peft_engine.training.distributed.group import Group
from peft_schemas.events import RecoveryRequest


class SharedControl(Control):
    """A control that says the same in each process. To be asked by all of them, in the same order."""

    def __init__(self, own: Control, group: Group) -> None:
        """Have everybody hear what the first process hears.

        Args:
            own: Of this process.
            group: The processes that train together.
        """
        self._own = own
        self._group = group

    def ask(self, command: Command) -> None:
        """Ask for something from inside the worker."""
        self._own.ask(command)

    def command(self) -> Command:
        """Return what is asked now."""
        return self._group.share(self._own.command())

    def removes(self) -> bool:
        """Tell whether a cancelled run shall lose its checkpoints too."""
        return self._group.share(self._own.removes())

    def recoveries(self) -> list[RecoveryRequest]:
        """Return every recovery that was asked for so far, oldest first."""
        return self._group.share(self._own.recoveries())
