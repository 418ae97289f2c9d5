"""`POST /tokenize`: a text as the tokens that a model reads, in the shape of vLLM's operation of that name."""

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from peft_engine.inference.http.asking import find_model, read_body, scheduler_of
from peft_engine.inference.http.operations import Shape, json_response
from peft_engine.inference.http.requests import Body


class TokenizeRequest(Body):
    """What to tokenise. No model is loaded for it."""

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    prompt: str
    """A text as it stands: no chat template is put around it."""


class Tokenized(Shape):
    """The tokens of a text."""

    count: int
    max_model_len: int
    """Tokens that the model's context holds."""

    tokens: list[int]


async def tokenize(request: Request) -> Response:
    """Answer with the tokens of a text."""
    asked = await read_body(request, TokenizeRequest)
    model = await find_model(request, asked.model)
    tokens = list(await scheduler_of(request).tokenize(model, asked.prompt))
    return json_response(Tokenized(count=len(tokens), max_model_len=model.context_length, tokens=tokens))
