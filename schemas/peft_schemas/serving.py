"""The inference process as the editor sees and controls it.

Every request that changes something answers the status after it, or fails with an error report in its data.
"""

from typing import Annotated, Literal

from pydantic import Field

from peft_schemas.base import Word
from peft_schemas.errors import ErrorReport


class ResidentModel(Word):
    """A base that is in memory, on its way there, or could not be brought there."""

    base: str
    state: Literal["loading", "ready", "error"]
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    """How much of it is loaded; None when the engine cannot say."""

    pinned: bool = False
    """Whether it stays in memory until someone says otherwise."""

    memory_bytes: int = 0
    """What it takes; an estimate while it is being loaded."""

    active: int = 0
    """Requests that it answers now."""

    waiting: int = 0
    """Requests in the queue that are for it."""

    error: ErrorReport | None = None


class ServeStatus(Word):
    """The inference process of this user."""

    state: Literal["stopped", "starting", "running", "error"]
    url: str | None = None
    """The base URL of the OpenAI-compatible API, ending in `/v1`."""

    port: int | None = None
    pid: int | None = None
    model: str | None = None
    """The id of the model that requests for `default` get."""

    loaded: list[str] = []
    """Bases that are resident."""

    models: list[ResidentModel] = []
    """The same with their states, and those that are being loaded or could not be."""

    memory_bytes: int = 0
    """What all of them take."""

    memory_limit: int | None = None
    """What they may take together."""

    error: ErrorReport | None = None


class ServeStartParams(Word):
    """Start the inference process unless it runs."""

    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """0 for the port of the settings, else of the last time, else any free one."""


class ServeModelParams(Word):
    """Name a model: `<base>`, or `<base>:<adapter>` where an adapter matters."""

    model: str


class ServePinParams(Word):
    """Keep a model's base in memory, or no longer."""

    model: str
    pinned: bool = True


class ServeEndpoint(Word):
    """How other programs reach the inference process. The only message that carries the token."""

    url: str
    token: Annotated[str, Field(repr=False)]
