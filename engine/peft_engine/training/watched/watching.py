"""What watches one run, put together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from transformers import TrainerCallback

from peft_engine.rundir import RunDirectory
from peft_engine.training.control import Control
from peft_engine.training.distributed.group import Group
from peft_engine.training.journal import Journal
from peft_engine.training.reporter import Reporter
from peft_engine.training.stateful import Stateful
from peft_engine.training.watched.heartbeat import Heartbeat
from peft_engine.training.watched.recovery import Recovery
from peft_engine.training.watched.watch import Watcher
from peft_engine.watching import Watch, thresholds
from peft_engine.watching.ledger import Ledger
from peft_schemas.config import RunConfig

if TYPE_CHECKING:
    from peft_engine.training.tuner import Tuner


class Watching:
    """The detectors, the recoveries and the heartbeat of one run."""

    def __init__(
        self,
        run: RunDirectory,
        config: RunConfig,
        *,
        control: Control,
        group: Group,
        journal: Journal,
        reporter: Reporter,
        scaled: bool,
        vocabulary: int,
    ) -> None:
        """Put them together.

        Args:
            run: The run.
            config: Its config.
            control: What a person asks for, the same in all processes.
            group: The processes that train together.
            journal: Told of anomalies and recoveries.
            reporter: Measures each step.
            scaled: Whether the loss is scaled, as it is in float16.
            vocabulary: How many tokens the model chooses from.
        """
        limits = thresholds()
        watch = Watch(limits, memory_limit=config.watch.memory_limit, scaled=scaled, vocabulary=vocabulary)
        ledger = Ledger(config.training, limits.recovery)
        self._recovery = Recovery(run, control, group, journal, ledger, watch)
        watcher = Watcher(
            config.watch,
            limits,
            watch=watch,
            reporter=reporter,
            journal=journal,
            ledger=ledger,
            recovery=self._recovery,
        )
        self._heartbeat = Heartbeat(config.watch.stall_minutes, limits.stall, watcher.tell)
        # The recovery first: what it knows of the loop belongs into the checkpoint that the watcher keeps.
        self.callbacks: list[TrainerCallback] = [self._recovery, watcher, self._heartbeat]
        self.stateful: dict[str, Stateful] = {"watch": watch, "recovery": self._recovery}

    @contextmanager
    def over(self, tuner: "Tuner") -> Iterator[None]:
        """Watch a loop, which has the callbacks and keeps the stateful parts, while it trains."""
        self._recovery.attach(tuner)
        try:
            yield
        finally:
            self._heartbeat.stop()
