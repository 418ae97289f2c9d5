"""`POST /v1/embeddings`: texts as points."""

import base64
import struct
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from peft_engine.inference.contract import Embedding
from peft_engine.inference.http.asking import client_of, find_model, read_body, scheduler_of
from peft_engine.inference.http.hang_up import unless_gone
from peft_engine.inference.http.operations import Shape, json_response

_Text = Annotated[str, Field(min_length=1)]
_Token = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
_Tokens = Annotated[list[_Token], Field(min_length=1)]
_MOST = 2048
"""Texts of one request, OpenAI's own limit."""


class EmbeddingRequest(BaseModel):
    """What to embed."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    input: (
        _Text
        | _Tokens
        | Annotated[list[_Text], Field(min_length=1, max_length=_MOST)]
        | Annotated[list[_Tokens], Field(min_length=1, max_length=_MOST)]
    )
    """A text, a list of texts, the tokens of a text, or a list of those."""

    encoding_format: Literal["float", "base64"] = "float"
    """`base64` for the bytes of 32-bit floats, least significant first."""

    dimensions: None = None
    """A model has as many as it has; another number is refused."""

    @property
    def texts(self) -> list[str | list[int]]:
        """The texts, or their tokens, one for each embedding."""
        if isinstance(self.input, str):
            return [self.input]
        if isinstance(self.input[0], int):
            return [self.input]
        return list(self.input)


class EmbeddingItem(Shape):
    """One text as a point."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    """Of length 1."""


class EmbeddingUsage(Shape):
    """What it took."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Shape):
    """An embedding for each text, in their order."""

    object: Literal["list"] = "list"
    data: list[EmbeddingItem]
    model: str
    usage: EmbeddingUsage


async def embed(request: Request) -> Response:
    """Answer with the embedding of each text."""
    asked = await read_body(request, EmbeddingRequest)
    model = await find_model(request, asked.model)
    job = scheduler_of(request).submit_embedding(model, asked.texts, client=client_of(request))
    embeddings = await unless_gone(request, job.embeddings())
    tokens = sum(embedding.tokens for embedding in embeddings)
    return json_response(
        EmbeddingList(
            data=[
                EmbeddingItem(index=index, embedding=_encoded(embedding, asked.encoding_format))
                for index, embedding in enumerate(embeddings)
            ],
            model=asked.model,
            usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
        )
    )


def _encoded(embedding: Embedding, encoding: Literal["float", "base64"]) -> list[float] | str:
    if encoding == "float":
        return [float(value) for value in embedding.vector]
    return base64.b64encode(struct.pack(f"<{len(embedding.vector)}f", *embedding.vector)).decode()
