"""The models of a machine: what there is and what its files say of it."""

from typing import Annotated, Literal

from pydantic import Field

from peft_schemas.base import Word

ModelFormat = Literal["gguf", "safetensors"]
"""What a base's weights are stored as, which decides the engine that loads them."""

ModelCapability = Literal["chat", "tools", "infill", "embeddings", "vision"]
"""What a base was made for, by its files: it has a chat template, which may know tools; its vocabulary can mark a gap;
it is an encoder of texts; it takes images."""

ModelSource = Literal["package", "workbench", "huggingface", "lm-studio", "ollama", "llama.cpp", "folder", "added"]
"""Where a base came from: an installed Python package, a copy that the workbench made, the cache or folder of another
tool, a folder of `models.folders` in settings.yaml or of a config's own path, or a file that was added by hand."""


class ModelFacts(Word):
    """What the headers and configuration files of a base say. What they do not say is None."""

    format: ModelFormat
    size_bytes: Annotated[int, Field(ge=0)]
    """Of all files with weights together."""

    name: str | None = None
    """What its makers call it."""

    architecture: str | None = None
    """The family, as its file names it: `llama`, `qwen2`."""

    parameters: int | None = None
    quantization: str | None = None
    """As llama.cpp (`Q4_K_M`), the quantizing tool (`gptq`) or PyTorch (`bfloat16`) names it."""

    context_length: int | None = None
    """The longest sequence in tokens that it was made for."""

    capabilities: list[ModelCapability] = []
    licence: str | None = None
