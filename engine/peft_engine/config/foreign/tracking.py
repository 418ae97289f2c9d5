"""Trackers of other tools: MLflow is one here, too."""

from urllib.parse import urlsplit

from peft_engine.config.foreign.convert import texts, truth
from peft_engine.config.foreign.draft import Draft
from peft_engine.config.foreign.source import Leaf

_KEPT = "Every metric is kept in the run's own events, and MLflow is the only tracker that they can be sent to as well."


def put_reported(draft: Draft, leaf: Leaf | None) -> None:
    """Read the Transformers Trainer's list of trackers, whose addresses stand in the environment."""
    wanted = [name for name in texts(None if leaf is None else leaf.value) if name not in ("none", "all")]
    if "mlflow" in wanted:
        draft.put("tracker.type", "mlflow", leaf)
        message = f"{draft.table.title} takes the server from MLFLOW_TRACKING_URI; write its address in `tracker.url`."
        draft.change(leaf, message)
    if set(wanted) - {"mlflow"}:
        draft.leave_out(leaf, _KEPT, "information")
    draft.confirm(leaf)


def put_mlflow(draft: Draft) -> None:
    """Read Axolotl's keys for MLflow, which it writes to where an experiment is named or it is switched on."""
    switch, url, name = (draft.get(f) for f in ("use_mlflow", "mlflow_tracking_uri", "mlflow_experiment_name"))
    draft.confirm(switch, url, name)
    address, experiment = draft.value("mlflow_tracking_uri"), draft.value("mlflow_experiment_name")
    if not truth(switch) and not experiment:
        if address:
            draft.leave_out(url, "Axolotl writes to MLflow only where an experiment is named.", "information")
        return
    if address and not is_address(str(address)):
        draft.leave_out(url, "Metrics are sent to an MLflow server only, by an address without a password.")
        return
    draft.put("tracker.type", "mlflow", switch, name)
    if address:
        draft.put("tracker.url", str(address), url)
    else:
        message = "Axolotl takes the server from MLFLOW_TRACKING_URI; write its address in `tracker.url`."
        draft.change(name if experiment else switch, message)
    if experiment:
        draft.put("tracker.experiment", str(experiment), name)


def is_address(url: str) -> bool:
    """Tell whether a text is the address of a server, with no password in it."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
