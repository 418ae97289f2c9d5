"""The models of a machine: what there is and what its files say of it."""

from typing import Annotated, Literal

from pydantic import Field

from peft_schemas.base import Word
from peft_schemas.errors import ErrorReport
from peft_schemas.findings import Range

ModelFormat = Literal["gguf", "safetensors", "onnx", "mlx"]
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


class SamplingDefaults(Word):
    """How a model answers when a request does not say. What is left out is the server's own default."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None


class DefinedAdapter(Word):
    """An adapter of a model that is defined by a file."""

    adapter: Annotated[str, Field(min_length=1)]
    """The id of a run, or the path of a GGUF adapter or a PEFT folder, relative to the definition file."""

    scale: float = 1.0
    """How strongly it is applied; 1 is as it was trained."""


class ModelDefinition(Word):
    """A model declared by a file `models/<id>.yaml` in the state folder."""

    model: Annotated[str, Field(min_length=1)]
    """The base: an id of the library, a hub id, or the path of a GGUF file or a folder, relative to this file."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)] | None = None
    """What it is called; the file's name without its ending when this is left out."""

    adapters: list[DefinedAdapter] = []
    """Applied together."""

    sampling: SamplingDefaults = SamplingDefaults()
    """How it answers when a request does not say."""

    template: str | None = None
    """A chat template, in Jinja, in place of the model's own."""

    prompt_format: str | None = None
    """A family's way to write conversations, such as `chatml`, in place of the model's own; not beside `template`."""

    context_length: Annotated[int, Field(ge=16)] | None = None
    """Tokens of prompt and answer together; the longer, the more memory each answer takes."""

    pin: bool = False
    """Whether it is loaded when the server starts, and kept in memory."""


class ModelAdapter(Word):
    """A run's adapter on a base."""

    id: str
    """What to ask for to chat with it."""

    run_id: str


class ModelEntry(Word):
    """One base of the library, or one model that a definition file declares."""

    id: str
    """What to ask for to chat with it."""

    source: ModelSource
    path: str
    """Its file or folder, as it was asked for where there is none."""

    base: str | None
    """What `model.base` would be to train it; None where it has no such form."""

    facts: ModelFacts | None
    """None when it cannot be used."""

    problem: ErrorReport | None = None
    """Why it cannot."""

    definition: str | None = None
    """The file that declares it."""

    pinned: bool = False
    """Whether that file asks for it to be loaded when the server starts."""

    adapters: list[ModelAdapter] = []
    copies: list[str] = []
    """The ids of models with the same weights in other files."""


class DefinitionFault(Word):
    """Why a definition file cannot be used. The other files are."""

    path: str
    range: Range | None
    """Where it is wrong; None for the whole file."""

    message: str


class ModelQuery(Word):
    """Which models are wanted. What is left out sets no limit."""

    formats: list[ModelFormat] = []
    """Any of them."""

    sources: list[ModelSource] = []
    """Any of them."""

    capabilities: list[ModelCapability] = []
    """All of them."""

    min_bytes: Annotated[int, Field(ge=0)] | None = None
    max_bytes: Annotated[int, Field(ge=0)] | None = None
    text: str = ""
    """A part of the id, in whatever case."""


class ModelList(Word):
    """Bases by id, and the definition files with faults."""

    models: list[ModelEntry]
    faults: list[DefinitionFault] = []


class ModelIdParams(Word):
    """Name a model of the library."""

    id: str


class ModelAddParams(Word):
    """Name a file or folder that is to be in the library."""

    path: str
    id: str | None = None
    """What it is to be called; by its name when this is left out."""
