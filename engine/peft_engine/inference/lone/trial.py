"""What the child processes do that try a base, which may crash."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from peft_engine.inference.lone.sequence import BLOCK
from peft_engine.inference.lone.weights import Weights
from peft_schemas.errors import WorkbenchError


def try_base(folder: Path, load: Callable[[], Weights]) -> int:
    """Compute a block of many tokens and one more, which take different paths.

    Args:
        folder: Of the base, for messages.
        load: Loads it.

    Returns:
        The exit code of the process. What is wrong has been written to its standard error.
    """
    try:
        weights = load()
        block = min(BLOCK, weights.vocabulary_size, weights.trained_context - 1)
        memory = weights.begin(block + 1)
        rows = [memory.compute(range(block)), memory.compute([0])]
        if any(np.isnan(row).any() or len(row) != weights.vocabulary_size for row in rows):
            raise WorkbenchError(
                "model-unreadable",
                f"{folder.name} computes no numbers, or not one for each token: its weights are damaged.",
                "Get the folder again.",
            )
    except WorkbenchError as error:
        print(error.message, file=sys.stderr)  # noqa: T201  (read by `loading`)
        return 1
    return 0
