"""The backend that trains everything: transformers with PEFT."""

from pathlib import Path

import peft
import torch
import transformers

from peft_engine.training.model import TrainableModel, load_model
from peft_schemas.config import RunConfig


class TransformersBackend:
    """Transformers with PEFT, our attention and our loss."""

    def __init__(self, reason: str) -> None:
        """Take note of the versions, and of why this one was taken."""
        self.description = f"transformers {transformers.__version__} with peft {peft.__version__}, {reason}"

    def load(self, folder: Path, config: RunConfig, device: torch.device, max_length: int) -> TrainableModel:
        """Load the base weights and add what the method trains; see `Backend`."""
        return load_model(folder, config, device, max_length)
