"""Merging an adapter into the files of its base one tensor at a time, so that a model larger than memory can be merged.

A merged file has its base file's header, for no weight changes its name, its type or its shape; so it is written from
front to back, and what no adapter touches is copied. The arithmetic is that of PEFT's own merge, step by step.
"""

import json
import re
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import safe_open

from peft_engine.models.validation import shards

_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types of weights, as a file names them, that an update can be added to."""

_PREFIX = "base_model.model."
_PART = re.compile(r"(?P<module>.+)\.(?P<part>lora_A\.weight|lora_B\.weight|lora_magnitude_vector)$")
_UNUSUAL = ("rank_pattern", "alpha_pattern", "lora_bias", "fan_in_fan_out", "layer_replication", "target_parameters")
"""Settings of an adapter, none of which our runs make, that change what its tensors mean."""

_BESIDE = ("config.json", "generation_config.json", "model.safetensors.index.json", "*.py")
"""What a model's folder holds beside weights and tokenizer."""

_BLOCK = 16 * 2**20


@dataclass(frozen=True)
class _Stored:
    """A tensor in a file: where its bytes are, counted from the end of the header."""

    name: str
    type: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class ByTensor:
    """An adapter and the base that it can be merged into tensor by tensor."""

    adapter: Path
    base: Path
    files: tuple[str, ...]
    alpha: float
    by_root: bool
    """Whether the scale is alpha over the root of the rank, as rsLoRA has it, and not over the rank."""

    updates: dict[str, dict[str, str]]
    """For each weight of the base that gets an update, the adapter's keys by part."""

    replaced: dict[str, str]
    """For each weight of the base that was trained in full, the adapter's key."""

    def write(self, target: Path) -> None:
        """Write the merged model's files, without those of its tokenizer.

        Args:
            target: A folder that exists.

        Raises:
            OSError: The disk is full.
        """
        with safe_open(self.adapter / "adapter_model.safetensors", framework="pt") as tensors:
            for file in self.files:
                self._write_file(self.base / file, target / file, tensors)
        for pattern in _BESIDE:
            for beside in self.base.glob(pattern):
                shutil.copyfile(beside, target / beside.name)

    def _write_file(self, source: Path, target: Path, tensors: Any) -> None:
        with source.open("rb") as reading, target.open("wb") as writing:
            header, stored = _header(reading)
            writing.write(header)
            for tensor in stored:
                if tensor.name in self.updates or tensor.name in self.replaced:
                    content = bytearray(reading.read(tensor.end - tensor.start))
                    weight = torch.frombuffer(content, dtype=_TYPES[tensor.type])
                    merged = self._merged(tensor.name, weight.reshape(tensor.shape), tensors)
                    writing.write(merged.to(weight.dtype).contiguous().view(torch.uint8).numpy().data)
                else:
                    _copy(reading, writing, tensor.end - tensor.start)

    def _merged(self, name: str, weight: torch.Tensor, tensors: Any) -> torch.Tensor:
        """Return a weight [out, in] with what the adapter learned of it."""
        if name in self.replaced:
            whole: torch.Tensor = tensors.get_tensor(self.replaced[name])
            return whole
        parts: dict[str, torch.Tensor] = {part: tensors.get_tensor(key) for part, key in self.updates[name].items()}
        a, b = parts["lora_A.weight"].float(), parts["lora_B.weight"].float()
        rank = a.shape[0]
        moved: torch.Tensor = weight + b @ a * (self.alpha / (rank**0.5 if self.by_root else rank))
        if "lora_magnitude_vector" not in parts:
            return moved
        factor: torch.Tensor = parts["lora_magnitude_vector"].float() / torch.linalg.norm(moved, dim=1)
        return factor.view(-1, 1) * moved


def by_tensor(adapter: Path, base: Path) -> ByTensor | None:
    """Return how to merge tensor by tensor, None where only the whole model in memory shows what belongs together.

    That is so where the adapter has modules or settings that are not of a plain linear layer, where the model's own
    names are not those in its files, or where a trained matrix is shared by two modules.

    Args:
        adapter: A PEFT adapter folder.
        base: The base model's folder.

    Raises:
        OSError: A file cannot be read.
    """
    config = json.loads((adapter / "adapter_config.json").read_bytes())
    model = json.loads((base / "config.json").read_bytes())
    files = _files(base)
    if not files or any(config.get(key) for key in _UNUSUAL) or "quantization_config" in model:
        return None
    stored = {tensor.name: tensor for file in files for tensor in _stored(base / file)}
    updates: dict[str, dict[str, str]] = {}
    replaced: dict[str, str] = {}
    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as tensors:
        for key in tensors.keys():  # noqa: SIM118  (not a mapping)
            name = key.removeprefix(_PREFIX)
            if match := _PART.match(name):
                updates.setdefault(f"{match['module']}.weight", {})[match["part"]] = key
            else:
                replaced[name] = key
        shapes = {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118
    if replaced and model.get("tie_word_embeddings", False):
        return None
    fits = all(
        {"lora_A.weight", "lora_B.weight"} <= parts.keys()
        and _fits(stored.get(name), (shapes[parts["lora_B.weight"]][0], shapes[parts["lora_A.weight"]][-1]))
        for name, parts in updates.items()
    ) and all(_fits(stored.get(name), shapes[key]) for name, key in replaced.items())
    if not fits:
        return None
    alpha, by_root = float(config["lora_alpha"]), bool(config.get("use_rslora"))
    return ByTensor(adapter, base, files, alpha, by_root, updates, replaced)


def _fits(stored: _Stored | None, shape: tuple[int, ...]) -> bool:
    return stored is not None and stored.type in _TYPES and stored.shape == shape


def _files(base: Path) -> tuple[str, ...]:
    """Return the names of the files with a model's weights; none where they are not safetensors of its own folder."""
    names = tuple(sorted(shards(base)))
    return names if all(Path(name).name == name and (base / name).is_file() for name in names) else ()


def _stored(file: Path) -> list[_Stored]:
    with file.open("rb") as opened:
        return _header(opened)[1]


def _header(file: IO[bytes]) -> tuple[bytes, list[_Stored]]:
    """Return a file's header as it stands, and its tensors in the order of their bytes."""
    start = file.read(8)
    body = file.read(struct.unpack("<Q", start)[0])
    described: Iterator[tuple[str, Any]] = ((n, d) for n, d in json.loads(body).items() if n != "__metadata__")
    stored = [_Stored(name, one["dtype"], tuple(one["shape"]), *one["data_offsets"]) for name, one in described]
    return start + body, sorted(stored, key=lambda tensor: tensor.start)


def _copy(reading: IO[bytes], writing: IO[bytes], count: int) -> None:
    while count:
        block = reading.read(min(count, _BLOCK))
        if not block:
            raise OSError("The base model's file ends before its last tensor.")
        writing.write(block)
        count -= len(block)
