"""The child process that tries a base, which may crash: `python -m peft_engine.inference.onnx.trial FOLDER`."""

import sys
from pathlib import Path

import numpy as np

from peft_engine.inference.onnx.sequence import BLOCK
from peft_engine.inference.onnx.weights import Weights
from peft_engine.settings import read_settings
from peft_schemas.errors import WorkbenchError


def main(folder: Path) -> int:
    """Compute a block of many tokens and one more, which take different paths."""
    try:
        weights = Weights(folder, threads=2, provider=read_settings().serving.onnx_provider)
        block = min(BLOCK, weights.described.vocabulary_size, weights.described.context_length - 1)
        memory = weights.begin(block + 1)
        rows = [memory.compute(range(block)), memory.compute([0])]
        if any(np.isnan(row).any() or len(row) != weights.described.vocabulary_size for row in rows):
            raise WorkbenchError(
                "model-unreadable",
                f"{folder.name} computes no numbers, or not one for each token: its weights are damaged.",
                "Get the folder again.",
            )
    except WorkbenchError as error:
        print(error.message, file=sys.stderr)  # noqa: T201  (read by `loading`)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
