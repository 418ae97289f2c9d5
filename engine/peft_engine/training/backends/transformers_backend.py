"""The backend that trains everything: transformers with PEFT."""

from importlib import metadata
from pathlib import Path

import peft
import torch
import transformers

from peft_engine.training.backends.liger import apply_liger
from peft_engine.training.model import TrainableModel, load_model
from peft_schemas.config import RunConfig


class TransformersBackend:
    """Transformers with PEFT, our attention and our loss; on CUDA devices Liger's kernels, if installed."""

    def __init__(self, reason: str) -> None:
        """Take note of the versions, and of why this one was taken."""
        self._title = f"transformers {transformers.__version__} with peft {peft.__version__}"
        self._reason = reason
        self.description = f"{self._title}, {reason}"

    def load(self, folder: Path, config: RunConfig, device: torch.device, max_length: int) -> TrainableModel:
        """Load the base weights and add what the method trains; see `Backend`."""
        trainable = load_model(folder, config, device, max_length)
        if apply_liger(trainable.model, device):
            self.description = f"{self._title} and liger-kernel {metadata.version('liger-kernel')}, {self._reason}"
        return trainable
