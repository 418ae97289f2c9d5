"""The libraries that load a model to train, behind one protocol. What is done with the model is the same for each.

Which one a run takes is decided in `peft_engine.backends`, before any of them is imported.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from peft_engine.home import home
from peft_schemas.bench import BackendChoice
from peft_schemas.config import RunConfig

if TYPE_CHECKING:
    import torch

    from peft_engine.training.model import TrainableModel


class Backend(Protocol):
    """Loads the model of a run."""

    description: str
    """What it is, with its version, and why it was taken: what the plan of a run says of it."""

    def load(self, folder: Path, config: RunConfig, device: "torch.device", max_length: int) -> "TrainableModel":
        """Load the base weights and add what the method trains.

        Args:
            folder: A folder that transformers loads.
            config: The run's config.
            device: Where to train.
            max_length: The longest example in tokens.

        Raises:
            WorkbenchError: The weights cannot be read (`model-unreadable`), or this cannot be done (`not-supported`).
        """


def open_backend(choice: BackendChoice) -> Backend:
    """Import what a run has chosen. To be called before anything else imports transformers.

    Args:
        choice: What was chosen, and why.

    Raises:
        ImportError: A library is not installed.
        WorkbenchError: The backend does not run on this machine (`not-supported`).
    """
    if choice.backend == "unsloth":
        # It reads these while it is imported. The code that it generates would else go into the current folder.
        os.environ["UNSLOTH_COMPILE_LOCATION"] = str(home() / "cache" / "unsloth")
        os.environ["UNSLOTH_DISABLE_STATISTICS"] = "1"
        from peft_engine.training.backends.unsloth_backend import UnslothBackend

        return UnslothBackend(choice.reason)
    from peft_engine.training.backends.transformers_backend import TransformersBackend

    return TransformersBackend(choice.reason)
