"""The content of `formats.yaml`."""

from functools import cache
from typing import Literal

from pydantic import model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word

Format = Literal["gguf", "safetensors", "pytorch", "onnx", "mlx", "coreml", "unknown"]


class FormatData(Word):
    """A format and what becomes of it here."""

    title: str
    served_by: Literal["llama.cpp", "transformers"] | None = None
    platforms: list[str] | None = None
    """Where its own runtime exists, as `sys.platform` says; None where that does not matter."""

    reason: str | None = None
    remedy: str | None = None

    @model_validator(mode="after")
    def _served_or_explained(self) -> "FormatData":
        if (self.served_by is None) != bool(self.reason and self.remedy):
            raise ValueError("a format has an engine, or else a reason and a remedy")
        return self


class BackendData(Word):
    """An engine that is part of one system."""

    title: str
    platforms: list[str]
    reason: str
    """Why it is not offered elsewhere."""


class CoreMlNumbers(Word):
    """Field numbers of Core ML's messages."""

    types: dict[int, str]
    features: dict[int, str]


class FormatsData(Word):
    """The whole file."""

    formats: dict[Format, FormatData]
    backends: dict[str, BackendData]
    coreml: CoreMlNumbers
    mlx_families: list[str]
    """Families, as `model_type` names them, that are computed by MLX."""


@cache
def formats_data() -> FormatsData:
    """Return what is known of the formats."""
    return FormatsData.model_validate(read_data("formats.yaml"))
