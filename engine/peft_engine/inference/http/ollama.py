"""The little of Ollama's API by which editors find models; they then chat through OpenAI's.

Ollama knows no key and we have one, so a client must be able to send an `Authorization` header to use this.
"""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from peft_engine.catalog import Servable, list_servable
from peft_engine.inference.http.asking import find_model, read_body
from peft_engine.inference.http.operations import Shape, json_response

_VERSION = "0.6.4"
"""The least that VS Code's provider asks for: the version of Ollama whose answers these are."""


class OllamaVersion(Shape):
    """The version of Ollama whose answers these are."""

    version: str


class OllamaDetails(Shape):
    """What a model's files say."""

    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


class OllamaModel(Shape):
    """A model in Ollama's list."""

    name: str
    model: str
    """What a request names."""

    modified_at: str
    size: int
    details: OllamaDetails


class OllamaTags(Shape):
    """Everything that can be asked for."""

    models: list[OllamaModel]


class OllamaShowRequest(BaseModel):
    """Which model."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: Annotated[str, Field(min_length=1, max_length=4096)]


class OllamaShown(Shape):
    """What a client wants to know of a model before it asks it something."""

    modified_at: str
    details: OllamaDetails
    capabilities: list[str]
    """`completion`, and `tools` where the model's own template knows them."""

    model_info: dict[str, Any]
    """Names of a GGUF header and their values."""


async def ollama_version(_: Request) -> Response:
    """Answer with a version that clients accept."""
    return json_response(OllamaVersion(version=_VERSION))


async def ollama_tags(_: Request) -> Response:
    """Answer with all models."""
    models = await asyncio.to_thread(list_servable)
    return json_response(
        OllamaTags(
            models=[
                OllamaModel(
                    name=model.id,
                    model=model.id,
                    modified_at=_modified(model),
                    size=model.size_bytes,
                    details=_details(model),
                )
                for model in models
            ]
        )
    )


async def ollama_show(request: Request) -> Response:
    """Answer with one model's context length and abilities."""
    model = await find_model(request, (await read_body(request, OllamaShowRequest)).model)
    family = model.architecture or ""
    names = {"tools": "tools", "infill": "insert", "embeddings": "embedding"}
    return json_response(
        OllamaShown(
            modified_at=_modified(model),
            details=_details(model),
            capabilities=["completion", *(names[one] for one in sorted(model.capabilities) if one in names)],
            model_info={
                "general.architecture": family,
                "general.basename": model.label,
                f"{family}.context_length": model.context_length,
            },
        )
    )


def _details(model: Servable) -> OllamaDetails:
    family = model.architecture or ""
    return OllamaDetails(
        format=model.format,
        family=family,
        families=[family],
        parameter_size=f"{model.parameters / 1e6:.0f}M" if model.parameters is not None else "",
        quantization_level=model.quantization or "",
    )


def _modified(model: Servable) -> str:
    return datetime.fromtimestamp(model.created, UTC).isoformat()
