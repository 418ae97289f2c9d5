"""A folder for ONNX Runtime GenAI: what `genai_config.json` says, and whether it may.

The runtime would follow what stands there: load a library of custom operations, write profiles and graphs to any path,
open any file as the graph. So only settings that describe a text decoder are let through.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from peft_engine.models.damage import DamagedFile
from peft_schemas.base import Word

CONFIG = "genai_config.json"
_LARGEST = 2**20
"""Bytes of a configuration. One has less than two thousand, or a few for each layer."""


class _SessionOptions(Word):
    """What may be set of ONNX Runtime: nothing that names a file or a library."""

    log_id: str = ""
    log_severity_level: int = 2
    provider_options: list[dict[str, Any]] = []
    """Not followed: the provider is the user's choice."""

    enable_cpu_mem_arena: bool = True
    enable_mem_pattern: bool = True
    intra_op_num_threads: int = 0
    """Not followed: threads are the user's choice."""

    inter_op_num_threads: int = 0
    graph_optimization_level: str = ""


class _Decoder(Word):
    filename: str = Field(pattern=r"^[^/\\\x00]+$")
    session_options: _SessionOptions = _SessionOptions()
    head_size: int = Field(gt=0, le=2**14)
    hidden_size: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0, le=2**12)
    num_key_value_heads: int = Field(gt=0, le=2**12)
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}


class _Model(Word):
    type: str
    context_length: int = Field(gt=0)
    vocab_size: int = Field(gt=0)
    eos_token_id: int | list[int]
    bos_token_id: int | None = None
    pad_token_id: int | None = None
    decoder: _Decoder


class _Config(Word):
    model: _Model
    search: dict[str, bool | int | float] = {}


@dataclass(frozen=True)
class GenaiModel:
    """A text decoder for ONNX Runtime GenAI."""

    graph: Path
    """The file of the graph. Not looked into yet."""

    family: str
    """Such as `llama`."""

    context_length: int
    """Tokens that it was made for."""

    vocabulary_size: int
    ends: tuple[int, ...]
    """Tokens that end an answer."""

    kv_elements: int
    """Numbers in the K/V memory of one token."""


def read_genai(folder: Path) -> GenaiModel:
    """Read a folder's configuration. Nothing else is opened.

    Raises:
        OSError: It cannot be read, or the graph is not there.
        DamagedFile: It is none, it is that of a model that is no plain text decoder, or it has settings that are not
            let through.
    """
    with (folder / CONFIG).open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise DamagedFile(f"it has more than {_LARGEST} bytes")
    try:
        model = _Config.model_validate(json.loads(content, object_pairs_hook=_once)).model
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DamagedFile(f"{place} is not let through ({first['msg']})") from error
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"it is no JSON ({error})") from error
    decoder = model.decoder
    graph = folder / decoder.filename
    if decoder.filename in (".", "..") or not graph.is_file():
        raise DamagedFile(f"it names the graph {decoder.filename[:80]!r}, which is not in the folder")
    ends = model.eos_token_id
    return GenaiModel(
        graph=graph,
        family=model.type,
        context_length=model.context_length,
        vocabulary_size=model.vocab_size,
        ends=tuple(ends) if isinstance(ends, list) else (ends,),
        kv_elements=2 * decoder.num_hidden_layers * decoder.num_key_value_heads * decoder.head_size,
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose names are there once: of two, the runtime might take the one that was not looked at."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
