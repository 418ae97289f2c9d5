"""Whether an adapter is made of numbers.

One that is none makes none of every logit, under which no token can be chosen.
"""

from pathlib import Path

import gguf
import numpy as np

from peft_engine.models.damage import DamagedFile


def require_numbers(path: Path) -> None:
    """Look at every number of an adapter.

    Args:
        path: A GGUF file whose header was found sound.

    Raises:
        DamagedFile: One is infinite or no number.
    """
    for tensor in gguf.GGUFReader(path).tensors:
        if not np.isfinite(gguf.dequantize(tensor.data, tensor.tensor_type)).all():
            raise DamagedFile(f"the tensor {tensor.name} holds something that is no number")
