"""The process that reads one pickle: `python -m peft_engine.models.pickled.reader SOURCE TARGET MEMORY`.

It gives up what it does not need before it opens the file, reads it with PyTorch's reader of weights alone and with
nothing else when that refuses, and writes safetensors. It answers with one line of JSON: `{"refused": sentence}`, or
`{"tensors": names, "confined": whether}`.
"""

import json
import pickle
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from peft_engine.models.pickled.confinement import confine

_IMPORT = re.compile(r"\bGLOBAL ([\w.]+)")
_SECONDS = 3600
_SPARE = 2**30
"""Bytes beside the tensors themselves."""

_INNER = ("state_dict", "model_state_dict", "model", "module")
"""What checkpoints call the weights among other things."""


class Refused(Exception):
    """The file is not read; the message is a clause that says why."""


def main(source: Path, target: Path, memory: int) -> int:
    """Convert one file."""
    torch.set_num_threads(1)
    size = source.stat().st_size
    confined = confine(memory=memory, file_bytes=2 * size + _SPARE, seconds=_SECONDS)
    try:
        tensors = _tensors(source)
        save_file(tensors, target, metadata={"format": "pt"})
        _compare(tensors, target)
    except Refused as error:
        answer: dict[str, Any] = {"refused": str(error)}
    except MemoryError:
        answer = {"refused": "it needs more memory than its size accounts for"}
    else:
        answer = {"tensors": sorted(tensors), "confined": confined}
    print(json.dumps(answer), flush=True)  # noqa: T201  (the protocol with the parent)
    return 0


def _tensors(source: Path) -> dict[str, torch.Tensor]:
    """Return a checkpoint's tensors, each with its own memory."""
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(source))
    except pickle.UnpicklingError as error:
        # PyTorch's own words end with advice to read the file in the way that runs code.
        named = _IMPORT.search(str(error))
        more = f": it names {named[1]}, which would be run" if named else ""
        raise Refused(f"it holds more than weights{more}") from error
    except (RuntimeError, ValueError, EOFError, KeyError, AttributeError, TypeError, IndexError) as error:
        if "memory" in str(error):
            raise MemoryError from error
        raise Refused("it is damaged, or of a format that PyTorch no longer reads safely") from error
    for name in _INNER:
        if isinstance(loaded, dict) and isinstance(loaded.get(name), dict):
            loaded = loaded[name]
            break
    if not isinstance(loaded, dict):
        raise Refused(f"it holds a {type(loaded).__name__} and not weights by name")
    found = {name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}
    if not found:
        raise Refused("it holds no weights")
    if any(value.layout is not torch.strided or value.is_quantized for value in found.values()):
        raise Refused("it holds sparse or packed tensors, which safetensors does not know")
    seen: set[int] = set()
    own: dict[str, torch.Tensor] = {}
    for name, value in found.items():
        place = value.untyped_storage().data_ptr()
        own[name] = value.clone() if place in seen else value.contiguous()
        seen.add(place)
    return own


def _compare(tensors: dict[str, torch.Tensor], target: Path) -> None:
    """See that what was written is what was read, to the bit."""
    with safe_open(target, framework="pt") as written:
        for name, tensor in tensors.items():
            found = written.get_tensor(name)
            same = found.dtype == tensor.dtype and found.shape == tensor.shape
            if not same or not torch.equal(_bytes(found), _bytes(tensor)):
                raise Refused(f"its tensor {name} did not survive the conversion")


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
