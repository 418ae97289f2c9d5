"""What an operation of the API is: the same value makes the route and its entry in the OpenAPI document."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Shape(BaseModel):
    """What an answer looks like. The docstring under a field is its description in the document."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: Literal["GET", "POST"]
    path: str
    """As OpenAPI writes it. `{model_id}` may hold slashes, as the names of models do."""

    summary: str
    """One sentence for people, also in the reference page."""

    answer: Callable[[Request], Awaitable[Response]]
    takes: type[BaseModel] | None = None
    """The body of the request; None where there is none."""

    gives: type[BaseModel] | None = None
    """The body of the answer when it is JSON; None where it has no shape of its own."""

    media_type: str = "application/json"
    status: int = 200
    events: tuple[type[BaseModel], ...] = ()
    """What a server-sent event may hold when the request asks to stream; empty where nothing streams."""

    computes: bool = False
    """Whether a model works for it, which is what the limit of requests a minute counts."""

    needs_loaded: bool = False
    """Whether it is refused where the model is not in memory. The others bring it there."""

    @property
    def name(self) -> str:
        """A unique name, `operationId` in the document."""
        return self.answer.__name__

    @property
    def names_model(self) -> bool:
        """Whether the request names a model, which may not be there."""
        return "{model_id}" in self.path or (self.takes is not None and "model" in self.takes.model_fields)

    def route(self) -> Route:
        """Return the route that serves the operation."""
        return Route(self.path.replace("{model_id}", "{model_id:path}"), self.answer, methods=[self.method])


def json_response(body: BaseModel, *, status: int = 200) -> Response:
    """Return a shape as an answer."""
    return Response(body.model_dump_json(), status, media_type="application/json")
