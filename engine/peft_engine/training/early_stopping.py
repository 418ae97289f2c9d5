"""Early stopping whose patience survives a resume."""

from typing import Any

from transformers import EarlyStoppingCallback, TrainerControl, TrainerState


class EarlyStopping(EarlyStoppingCallback):  # type: ignore[misc]  # transformers is not typed
    """Ends the loop when the evaluation loss got no better some evaluations in a row.

    transformers would restore such a callback by making a new one out of what the checkpoint says its arguments were.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return how many evaluations in a row were no better."""
        return {"no_better": self.early_stopping_patience_counter}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on counting from there."""
        self.early_stopping_patience_counter = state["no_better"]

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """End a resumed loop at once where it had come to its end: its checkpoint was written at that very step."""
        if self.early_stopping_patience_counter >= self.early_stopping_patience:
            control.should_training_stop = True
