"""What a run would do, found out without starting it, as `peftw run --dry-run --json` prints it."""

from peft_schemas.base import Word
from peft_schemas.estimate import EstimateReport


class PlannedDataset(Word):
    """A dataset that was read to its end."""

    path: str
    format: str
    """The shape of its records, recognised if the config did not name it."""

    examples: int


class RunPlan(Word):
    """Everything that was checked, found and counted."""

    name: str
    base: str
    base_path: str | None
    """Where the base model is on this machine; None when it would be fetched from the hub first."""

    datasets: list[PlannedDataset]
    training_examples: int
    """Examples an epoch, after the held-out share and the weights."""

    held_out_examples: int
    figures: EstimateReport
