"""What can be known of models, data and machines before anything is loaded. What is not known is None."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FlawKind = Literal[
    "model-incomplete", "model-truncated", "model-damaged", "model-dtype-wrong", "model-tokenizer-missing"
]
"""A file of the model is missing; a file ends too early; a file contradicts itself; the weights are of a type that
nothing computes with; there is nothing to tokenise with. Each is the code of the error, too."""


@dataclass(frozen=True)
class ModelFlaw:
    """Why a model cannot be loaded."""

    kind: FlawKind
    message: str
    """One sentence that names the file."""


@dataclass(frozen=True)
class ModelFact:
    """What the base model's own files say. What they do not say is None."""

    name: str
    """A short name for sentences: the hub id, or the name of the folder or file."""

    model_type: str | None = None
    """`model_type` of config.json, such as `llama`."""

    context_length: int | None = None
    """Tokens: `max_position_embeddings`, extended by RoPE scaling where the config has it."""

    modules: tuple[str, ...] | None = None
    """The full names of the modules that hold a weight matrix, as Transformers names them:
    `model.layers.0.self_attn.q_proj`. Embeddings and the head are among them; norms are not."""

    shapes: Mapping[str, tuple[int, int]] | None = None
    """Rows and columns of the weight of each of `modules`, as PyTorch has them: outputs and inputs."""

    linear: frozenset[str] | None = None
    """The last parts of the names that `all-linear` takes: `q_proj`, `down_proj`."""

    parameters: int | None = None
    weight_bytes: int | None = None
    """Bytes of the weight files."""

    stored_dtype: str | None = None
    """The number type of most weights on disk: `bfloat16`."""

    prequantized: str | None = None
    """`quant_method` of config.json's `quantization_config`: `gptq`, `awq`, `bitsandbytes`; None for plain weights."""

    has_chat_template: bool | None = None
    template_has_generation_markers: bool | None = None
    tokens: frozenset[str] | None = None
    """The special tokens of the tokenizer; None when it could not be read."""

    has_remote_code: bool = False
    """Whether config.json has an `auto_map`, so that the model comes with code of its own."""

    is_pickle: bool = False
    """Whether its weights are in a pickle file (`.bin`, `.pt`, `.pth`, `.ckpt`), which runs code when it is read."""

    revision_is_pinned: bool | None = None
    flaw: ModelFlaw | None = None
    """Why the model cannot be loaded, None when its headers are in order."""


@dataclass(frozen=True)
class DatasetFact:
    """What a dataset's file holds, from reading all of it or its first records."""

    records: int | None
    """None when not all of it was read."""

    format: str | None
    """The format that `auto` recognises, None when it recognises none."""

    columns: tuple[str, ...]
    problem: str | None = None
    """One sentence, when a record cannot be read."""

    problem_line: int | None = None
    duplicates: int = 0
    """Records that stand in the file more than once, beyond the first."""

    characters_p50: int | None = None
    characters_p99: int | None = None
    """Characters of a record's texts."""

    tokens_p50: int | None = None
    tokens_p99: int | None = None
    """Tokens of a record as the training writes it, by the base model's own tokenizer and chat template; None when they
    could not be asked."""


@dataclass(frozen=True)
class TemplateFact:
    """What a chat template's file holds."""

    problem: str | None = None
    """One sentence, when it is no Jinja template."""

    special_tokens: frozenset[str] = frozenset()
    """The tokens of the form `<|name|>` and the like that it writes."""

    has_generation_markers: bool = False


@dataclass(frozen=True)
class HardwareFact:
    """The machine that a local run would use."""

    kind: Literal["cuda", "mps", "cpu"]
    name: str
    compute_capability: tuple[int, int] | None
    """Of the CUDA device: (8, 0) for an A100."""

    memory_bytes: int
    """Of the device that trains; the machine's own for a CPU."""

    free_disk_bytes: int
    packages: frozenset[str] | None = None
    """Of `bitsandbytes` and `flash_attn`, those that the training interpreter has; None when it was not asked."""

    devices: int | None = None
    """How many of the kind the machine has; None for a CPU, and where it was not counted."""
