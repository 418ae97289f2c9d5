"""Whether a loaded model keeps the examples apart that share a row, seen by its own losses before the first step."""

import numpy as np
import torch

from peft_engine.training.data.batch import Row, collate
from peft_engine.training.data.tokens import TokenisedExample
from peft_engine.training.model import TrainableModel
from peft_schemas.errors import WorkbenchError

_TOKENS = 24
_TOLERANCE = {torch.float32: 1e-3}
_COARSE = 3e-2
"""Relative, of a sum of losses: what 16-bit types differ by when the same products are summed in another order."""


def check_borders(trainable: TrainableModel, max_length: int) -> None:
    """Compare the loss of two examples in one row with that of each alone.

    The second is the first again: a model that sees across the border has it before its eyes, and finds it easy.

    Args:
        trainable: A model with a loss of its own.
        max_length: The longest example in tokens.

    Raises:
        WorkbenchError: The losses differ, so examples would learn from their neighbours (`not-supported`).
    """
    vocabulary = int(trainable.model.get_input_embeddings().num_embeddings)
    length = min(_TOKENS, max_length)
    ids = (17 + 31 * np.arange(length)) % vocabulary
    example = TokenisedExample(ids.astype(np.uint32), np.arange(length) > 0)
    was_training = trainable.model.training
    trainable.model.eval()
    alone, together = _loss(trainable, (example,)), _loss(trainable, (example, example))
    trainable.model.train(was_training)
    tolerance = _COARSE if trainable.precision != "float32" else _TOLERANCE.get(trainable.dtype, _COARSE)
    if not abs(together / (2 * alone) - 1) <= tolerance:
        raise WorkbenchError(
            "not-supported",
            "With this backend, examples of one batch see each other in this model: their loss together is "
            f"{together:.3f}, and {2 * alone:.3f} apart.",
            "Set `compute.backend: transformers`.",
        )


def _loss(trainable: TrainableModel, row: Row) -> float:
    # With gradients, as in training, because backends take another path without.
    batch = {
        name: value.to(trainable.device) if isinstance(value, torch.Tensor) else value
        for name, value in collate([row]).items()
    }
    if trainable.summed_loss is None:
        raise ValueError("only a loss of a backend's own is in question")
    return float(trainable.summed_loss(trainable.model, batch).detach())
