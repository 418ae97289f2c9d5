"""Doing something about an anomaly, at a step edge and after a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from peft_engine.rundir import RunDirectory
from peft_engine.rundir.checkpoints import intact_checkpoints, verify_checkpoint
from peft_engine.training.control import Control
from peft_engine.training.distributed.group import Group
from peft_engine.training.journal import Journal
from peft_engine.training.watched.rates import set_peaks
from peft_engine.watching import Anomaly, Watch
from peft_engine.watching.ledger import Ledger, Wanted
from peft_schemas.events import AnomalyKind, Change, RecoveryAction

if TYPE_CHECKING:
    from peft_engine.training.tuner import Tuner

GOES_ON: frozenset[RecoveryAction] = frozenset({"cut-learning-rate", "clip-gradients", "cut-batch", "roll-back"})
"""What lets the run go on, and so may be done without a person."""


@dataclass(frozen=True)
class _Decision:
    """What becomes of a recovery that is wanted."""

    action: RecoveryAction
    weights_of: int | None = None
    """The step whose weights are gone back to."""

    refused: str | None = None
    """Why it cannot be done."""


class Recovery(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Hears what a person asks for, takes what the watch asks for, and does it once there is a checkpoint.

    What waits is part of the checkpoint that it waits for. A worker that goes on from there does it first, and so comes
    to the same weights as one that was never interrupted.
    """

    def __init__(
        self, run: RunDirectory, control: Control, group: Group, journal: Journal, ledger: Ledger, watch: Watch
    ) -> None:
        """Begin with nothing done.

        Args:
            run: The run, whose checkpoints can be gone back to.
            control: Where a person asks, the same in all processes.
            group: The processes that train together: the first decides, and all do.
            journal: Told of everything that is done.
            ledger: What waits and what was done.
            watch: Told when something was done about what it saw.
        """
        self._run = run
        self._control = control
        self._group = group
        self._journal = journal
        self._ledger = ledger
        self._watch = watch
        self._anomalies: dict[str, tuple[AnomalyKind, int]] = {}
        self._peaks: list[float] | None = None
        self._tuner: Tuner | None = None

    def attach(self, tuner: "Tuner") -> None:
        """Take the loop that is watched."""
        self._tuner = tuner

    @property
    def rolls_back(self) -> bool:
        """Whether the weights are about to be replaced."""
        return any(wanted.action == "roll-back" for wanted in self._ledger.pending)

    def keep_beginning(self) -> None:
        """Write a checkpoint before the first step, unless it is there. To be called by all processes."""
        if self._group.share(not self._loop().checkpoint_path(0).exists()):
            self._loop().save_now()

    def seen(self, identity: str, anomaly: Anomaly) -> None:
        """Remember an anomaly that a recovery may name."""
        self._anomalies[identity] = (anomaly.kind, anomaly.good_step)

    def agree(self, state: TrainerState, control: TrainerControl) -> None:
        """Have all processes want what the first one does, which wants a checkpoint. To be called by all of them."""
        self._ledger.pending = self._group.share(self._ledger.pending)
        if self._ledger.pending and state.global_step < state.max_steps:
            control.should_save = True
            # The checkpoint that is about to be written must not take the place of the one that is gone back to.
            rolling = (wanted for wanted in self._ledger.pending if wanted.action == "roll-back")
            targets = (self._target(wanted, state.global_step) for wanted in rolling)
            self._loop().spared = {target for target in targets if target is not None}

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"ledger": self._ledger.state_dict(), "anomalies": self._anomalies, "peaks": self._peaks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what a checkpoint kept."""
        self._ledger.load_state_dict(state["ledger"])
        self._anomalies = {identity: (kind, step) for identity, (kind, step) in state["anomalies"].items()}
        self._peaks = state["peaks"]

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Set the loop as the recoveries left it, and do what waited for the checkpoint that it goes on from."""
        if self._peaks is None:
            self._peaks = list(self._loop().lr_scheduler.base_lrs)
        self._set()
        self._do_all(state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        """Hear what a person asks for."""
        for request in self._control.recoveries():
            kind, good_step = self._anomalies.get(request.anomaly or "", (None, None))
            self._ledger.want(
                Wanted(request.id, request.action, "person", request.anomaly, request.undoes, kind, good_step)
            )
        self.agree(state, control)
        return control

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Do what waited, unless the run rests now: then its next worker does it first."""
        if not control.should_training_stop:
            self._do_all(state.global_step)
        self._loop().spared = set()

    def _do_all(self, step: int) -> None:
        for wanted in list(self._ledger.pending):
            decision = self._decide(wanted, step, finite=self._loop().weights_are_finite())
            self._do(wanted, self._group.share(decision), step)

    def _decide(self, wanted: Wanted, step: int, *, finite: bool) -> _Decision:
        """Look at what can be done; reads checkpoints in full to know that they are intact."""
        # Smaller steps from weights that are no numbers lead nowhere.
        action: RecoveryAction = "roll-back" if wanted.action in GOES_ON and not finite else wanted.action
        if finite and verify_checkpoint(self._loop().checkpoint_path(step)) is None:
            return _Decision(action, refused=f"the checkpoint of step {step} could not be read back")
        if action == "cut-batch" and not self._ledger.can_cut_batch:
            return _Decision(action, refused="one example at a time is the least")
        if action == "roll-back":
            target = self._target(wanted, step)
            return _Decision(action, target, None if target is not None else "no intact checkpoint is from before")
        if action == "undo":
            return self._decide_undo(wanted)
        return _Decision(action)

    def _decide_undo(self, wanted: Wanted) -> _Decision:
        undone = self._ledger.find(wanted.undoes)
        if undone is None:
            return _Decision("undo", refused=f"no recovery {wanted.undoes} is in force")
        if undone.action != "roll-back":
            return _Decision("undo")
        checkpoint = verify_checkpoint(self._loop().checkpoint_path(undone.step))
        if checkpoint is None:
            return _Decision("undo", refused=f"the checkpoint of step {undone.step} is not kept any more")
        return _Decision("undo", undone.step)

    def _do(self, wanted: Wanted, decision: _Decision, step: int) -> None:
        """Do one recovery, or say why not."""
        if decision.refused is not None:
            self._ledger.refuse(wanted)
            message = f"The recovery `{wanted.action}` was not done: {decision.refused}."
            self._journal.refusal(wanted.id, message)
            return
        changes = self._ledger.do(wanted, decision.action, step)
        if decision.weights_of is not None:
            self._loop().go_back(decision.weights_of)
            self._watch.rolled_back(decision.weights_of)
            changes.append(Change(key="weights_of_step", before=step, after=decision.weights_of))
        self._set()
        self._watch.recovered(wanted.kind)
        self._journal.recovery(
            id=wanted.id,
            anomaly=wanted.anomaly,
            action=decision.action,
            by=wanted.by,
            step=step,
            changes=changes,
            undoes=wanted.undoes,
        )
        if decision.action in ("pause", "stop"):
            self._control.ask(decision.action)

    def _set(self) -> None:
        """Have the loop work with the settings that the recoveries in force come to."""
        tuner, settings, config = self._loop(), self._ledger.settings(), self._ledger.config
        tuner.args.max_grad_norm = settings.max_grad_norm
        tuner.micro_batches = settings.gradient_accumulation_steps // config.gradient_accumulation_steps
        share = settings.learning_rate / config.learning_rate
        set_peaks(tuner.optimizer, tuner.lr_scheduler, [peak * share for peak in self._peaks or []])

    def _target(self, wanted: Wanted, step: int) -> int | None:
        """Return the step of the newest intact checkpoint from before the trouble began, None where there is none."""
        before = step if wanted.good_step is None else wanted.good_step + 1
        return next((found.step for found in intact_checkpoints(self._run) if found.step < before), None)

    def _loop(self) -> "Tuner":
        if self._tuner is None:
            raise ValueError("a recovery needs the loop attached")
        return self._tuner
