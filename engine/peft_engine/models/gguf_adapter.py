"""Whether a GGUF adapter is what llama.cpp takes it for, and goes with its base.

llama.cpp ends the whole process over a setting of another type, over tensors that it cannot multiply and over matrices
with more than two sides, and leaves out what it does not know. So all of that is looked at before llama.cpp sees the
file.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from peft_engine.models.damage import DamagedFile
from peft_engine.models.gguf_data import gguf_data
from peft_engine.models.gguf_header import FLOAT32, STRING, GgufHeader, GgufTensor, check_gguf

_TYPE, _KIND, _ALPHA, _ARCHITECTURE = "general.type", "adapter.type", "adapter.lora.alpha", "general.architecture"
_INVOCATION = "adapter.alora.invocation_tokens"
_SIDES = ("lora_a", "lora_b")
_TABLE = "token_embd.weight"


def check_gguf_adapter(path: Path, base: GgufHeader) -> GgufHeader:
    """Hold an adapter's header against its file and its base.

    Args:
        path: The adapter.
        base: Of the base, with all of its tensors.

    Returns:
        The adapter's header.

    Raises:
        OSError: The file cannot be read.
        DamagedFile: As `check_gguf`, or llama.cpp could not compute with it, or not with this base.
    """
    header = check_gguf(path)
    _check_settings(header, base)
    shapes = {tensor.name: tensor.shape for tensor in base.tensors}
    for name, (a, b) in _pairs(header.tensors).items():
        if name not in shapes:
            raise DamagedFile(f"its base has no {name}")
        _check_shapes(name, a, b, shapes[name])
    return header


def _check_settings(header: GgufHeader, base: GgufHeader) -> None:
    for key, wanted in ((_TYPE, "adapter"), (_KIND, "lora")):
        if header.kinds.get(key) != STRING or header.values[key] != wanted:
            raise DamagedFile(f"it is no LoRA adapter: {key} is not {wanted!r}")
    if header.kinds.get(_ARCHITECTURE) != STRING or header.architecture != base.architecture:
        raise DamagedFile(f"it was made for a base of the family {header.architecture}, not {base.architecture}")
    if header.kinds.get(_ALPHA) != FLOAT32 or not math.isfinite(header.values[_ALPHA]):
        raise DamagedFile(f"{_ALPHA} is no 32-bit floating point number")
    if _INVOCATION in header.kinds:
        raise DamagedFile("it is an activated LoRA, which is computed behind its invocation alone, and is not served")


def _pairs(tensors: Iterable[GgufTensor]) -> dict[str, tuple[GgufTensor, GgufTensor]]:
    """Return the two matrices of each adapted tensor, by its name."""
    found: dict[str, dict[str, GgufTensor]] = {}
    for tensor in tensors:
        name, _, side = tensor.name.rpartition(".")
        if side not in _SIDES:
            raise DamagedFile(f"the tensor {tensor.name} is no LoRA matrix")
        if tensor.kind not in gguf_data().adapter_types:
            raise DamagedFile(f"the tensor {tensor.name} is of a type that no adapter is computed in")
        found.setdefault(name, {})[side] = tensor
    for name, sides in found.items():
        for side in _SIDES:
            if side not in sides:
                raise DamagedFile(f"{name} has no {side}")
    return {name: (sides["lora_a"], sides["lora_b"]) for name, sides in found.items()}


def _check_shapes(name: str, a: GgufTensor, b: GgufTensor, base: tuple[int, ...]) -> None:
    """See that the two matrices multiply to one of the base's shape. Those of experts have it as their first side."""
    if len(base) < 2:
        raise DamagedFile(f"the {name} of its base is no matrix")
    experts, (rows, columns) = base[:-2], base[-2:]
    rank = (0, 0, *a.shape)[-1 if name == _TABLE else -2]
    # The table of embeddings is looked up, not multiplied, and its matrices lie the other way round.
    wanted = ((rows, rank), (columns, rank)) if name == _TABLE else ((rank, columns), (rows, rank))
    for tensor, shape in zip((a, b), wanted, strict=True):
        if tensor.shape != (*experts, *shape):
            found, fits = (" x ".join(map(str, sides)) for sides in (tensor.shape, (*experts, *shape)))
            raise DamagedFile(f"{tensor.name} is {found}, and on this base it would be {fits}")
