"""Watching the loop: its measurements go to the detectors, and what they see into the journal."""

import math
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from peft_engine.training.journal import Journal
from peft_engine.training.reporter import Reporter
from peft_engine.training.watched.finite import is_finite
from peft_engine.training.watched.recovery import GOES_ON, Recovery
from peft_engine.training.watched.resources import memory_share
from peft_engine.watching import Anomaly, Measurement, Thresholds, Watch
from peft_engine.watching.ledger import Ledger, Wanted
from peft_schemas.config import WatchConfig
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import Recovery as Proposal


class Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Tells each anomaly with what can be done about it and, where it may, asks for the first of it."""

    def __init__(
        self,
        config: WatchConfig,
        limits: Thresholds,
        *,
        watch: Watch,
        reporter: Reporter,
        journal: Journal,
        ledger: Ledger,
        recovery: Recovery,
    ) -> None:
        """Connect the detectors with the loop.

        Args:
            config: What is done without a person.
            limits: The thresholds.
            watch: The detectors.
            reporter: Has measured each step, as a callback before this one.
            journal: Where anomalies are told.
            ledger: Where recoveries are asked for.
            recovery: Does them.
        """
        self._config = config
        self._limits = limits
        self._watch = watch
        self._reporter = reporter
        self._journal = journal
        self._ledger = ledger
        self._recovery = recovery
        self._broken = 0

    def tell(self, anomaly: Anomaly) -> None:
        """Write an anomaly into the journal, and ask for the first recovery where that is set."""
        identity = f"{self._journal.attempt}-{anomaly.step}-{anomaly.kind}"
        possible = [
            action
            for action in self._limits.proposals[anomaly.kind]
            if action != "cut-batch" or self._ledger.can_cut_batch
        ]
        self._recovery.seen(identity, anomaly)
        self._journal.anomaly(
            id=identity,
            kind=anomaly.kind,
            step=anomaly.step,
            cause=anomaly.cause,
            key=anomaly.key,
            evidence=dict(anomaly.evidence),
            actions=[Proposal(action=action, title=self._limits.titles[action]) for action in possible],
        )
        if (
            self._config.recovery == "auto"
            and possible[0] in GOES_ON
            and self._ledger.automatic(anomaly.kind) < self._limits.recovery.automatic
        ):
            wanted = Wanted(
                f"auto-{identity}",
                possible[0],
                "auto",
                anomaly=identity,
                kind=anomaly.kind,
                good_step=anomaly.good_step,
            )
            self._ledger.want(wanted)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep the beginning, where something may be done about a run before its first checkpoint is due."""
        if self._config.recovery == "auto" and state.global_step == 0:
            self._recovery.keep_beginning()

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: Any,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> TrainerControl:
        """Judge the newest measurements.

        Raises:
            WorkbenchError: What is learned is no numbers any more, and nothing is done about it (`diverged`).
        """
        # A report out of turn, where a run is left, must not change what the next worker sees.
        if logs is None or "loss" not in logs or state.global_step % args.logging_steps:
            return control
        values = self._reporter.values
        newest = Measurement(state.global_step, values.get("loss"), values.get("grad_norm"), memory_share(values))
        for anomaly in self._watch.measured(newest, args.max_grad_norm):
            self.tell(anomaly)
        self._recovery.agree(state, control)
        self._give_up_if_broken(newest, model)
        return control

    def on_evaluate(
        self, args: Any, state: TrainerState, control: TrainerControl, metrics: dict[str, float], **_: Any
    ) -> TrainerControl:
        """Judge the newest evaluation."""
        for anomaly in self._watch.evaluated(state.global_step, metrics["eval_loss"]):
            self.tell(anomaly)
        self._recovery.agree(state, control)
        return control

    def _give_up_if_broken(self, newest: Measurement, model: Any) -> None:
        """End a run that computes with what are no numbers, instead of letting it burn time."""
        if newest.loss is None or math.isfinite(newest.loss):
            self._broken = 0
            return
        self._broken += 1
        if self._recovery.rolls_back:
            return
        if self._broken >= self._limits.non_finite.patience or not is_finite(model):
            since = newest.step - self._broken + 1
            raise WorkbenchError(
                "diverged",
                f"The loss is not a finite number since step {since}: nothing is learned now.",
                "Run it again with a lower `training.learning_rate`, or with `watch.recovery: auto`."
                if since > 1
                else "Run it again with `training.precision: float32`.",
            )
