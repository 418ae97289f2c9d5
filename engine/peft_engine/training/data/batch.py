"""From rows of examples to the tensors of one forward pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from peft_engine.training.data.tokens import TokenisedExample, boundaries

Row = tuple[TokenisedExample, ...]
"""The examples that share a row of the batch; one, unless the run packs."""


def collate(rows: Sequence[Row]) -> dict[str, Any]:
    """Lay all examples of a batch end to end, with no padding.

    Each example's positions start at 0 and its attention ends at its borders, so what an example yields does not depend
    on its neighbours. Predictions are asked for only where there is something to learn.

    Returns:
        `input_ids`, `position_ids`: [1, tokens]. `cu_seq_lens_q`, `cu_seq_lens_k`: [examples + 1], the borders, under
        the names that transformers hands down to attention; `max_length_q`, `max_length_k`: the longest example.
        `predict`: [trained], the positions whose next token is learned. `targets`: [trained], those tokens.
    """
    examples = [example for row in rows for example in row]
    lengths = [len(example.ids) for example in examples]
    borders = torch.tensor(boundaries(lengths), dtype=torch.int32)
    ids = torch.from_numpy(np.concatenate([example.ids for example in examples]).astype(np.int64))
    trained = torch.from_numpy(np.concatenate([example.trained for example in examples]))
    # The first token of an example is never trained, so the position before a trained token is of the same example.
    learned = trained.nonzero().squeeze(-1)
    return {
        "input_ids": ids.unsqueeze(0),
        "position_ids": torch.cat([torch.arange(length) for length in lengths]).unsqueeze(0),
        "cu_seq_lens_q": borders,
        "cu_seq_lens_k": borders,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
        "predict": learned - 1,
        "targets": ids[learned],
    }
