"""How our tracker is said in the words of other tools."""

from peft_engine.config.foreign.outgoing.letter import Letter
from peft_engine.config.foreign.tracking import is_address


def write_mlflow(letter: Letter) -> None:
    """Say our tracker in Axolotl's keys."""
    tracker = letter.config.tracker
    if tracker.type == "mlflow" and is_address(tracker.url):
        letter.put("mlflow_tracking_uri", tracker.url, "tracker.url", "tracker.type")
        letter.put("mlflow_experiment_name", tracker.experiment, "tracker.experiment")


def write_reported(letter: Letter) -> None:
    """Say our tracker in the Transformers Trainer's key."""
    if letter.config.tracker.type == "none":
        letter.put("report_to", "none")
        return
    letter.put("report_to", letter.config.tracker.type, "tracker.type")
    for key, variable in (("tracker.url", "MLFLOW_TRACKING_URI"), ("tracker.experiment", "MLFLOW_EXPERIMENT_NAME")):
        letter.cannot(key, f"{letter.table.title} takes it from the environment: set {variable}.")
