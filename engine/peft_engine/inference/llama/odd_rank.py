"""Rewriting an adapter so that llama.cpp computes it alike for one answer and for many.

On a processor llama.cpp multiplies floats by two routines: one for a single row, and for more rows a tiled one, which
rounds otherwise. The tiled one takes only matrices whose number of rows is a multiple of four (llamafile's `sgemm.cpp`,
`tinyBLAS::matmul`), and a LoRA's down matrix has as many rows as the adapter's rank. A rank of which four is no divisor
therefore keeps both kinds of batches on the same routine. A row of zeros in the down matrix and a column of zeros in
the up matrix make one: what is computed stays the same.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

_DOWN, _UP = ".lora_a", ".lora_b"
_TILE = 4
_FLOATS = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16)
_OF_FILE = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", gguf.Keys.General.ARCHITECTURE)
"""Fields that the reader makes up or the writer writes by itself."""


def write_with_odd_rank(adapter: Path, target: Path) -> bool:
    """Write an adapter again with another rank, if it needs that and can have it.

    An adapter whose layers differ in rank stays as it is: llama.cpp divides one alpha by the rank of each layer, which
    would no longer give the same scales. So does one of quantized matrices.

    Args:
        adapter: A GGUF adapter whose header was found sound.
        target: The file to write.

    Returns:
        Whether it was written.

    Raises:
        OSError: The disk is full.
    """
    reader = gguf.GGUFReader(adapter)
    ranks = {int(tensor.shape[1]) for tensor in reader.tensors if tensor.name.endswith(_DOWN)}
    alpha = reader.get_field(gguf.Keys.Adapter.LORA_ALPHA)
    paired = all(tensor.name.endswith((_DOWN, _UP)) and tensor.tensor_type in _FLOATS for tensor in reader.tensors)
    rank = ranks.pop() if len(ranks) == 1 else 0
    if not rank or rank % _TILE or not paired or alpha is None:
        return False
    writer = gguf.GGUFWriter(target, reader.get_field(gguf.Keys.General.ARCHITECTURE).contents())
    for name, value in reader.fields.items():
        if name in _OF_FILE:
            continue
        contents: Any = value.contents()
        if name == gguf.Keys.Adapter.LORA_ALPHA:
            contents *= (rank + 1) / rank
        writer.add_key_value(name, contents, value.types[0], value.types[-1] if len(value.types) > 1 else None)
    for tensor in reader.tensors:
        widths = ((0, 1), (0, 0)) if tensor.name.endswith(_DOWN) else ((0, 0), (0, 1))
        writer.add_tensor(tensor.name, np.pad(tensor.data, widths))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return True
