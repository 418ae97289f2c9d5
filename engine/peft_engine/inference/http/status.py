"""How the process is, and telling it to leave."""

import os
from collections.abc import Callable
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from peft_engine.inference.http.asking import scheduler_of
from peft_engine.inference.http.operations import Shape, json_response
from peft_schemas import __version__


class Health(Shape):
    """What the process says of itself."""

    status: Literal["ok"] = "ok"
    version: str
    pid: int
    loaded: list[str]
    """The ids of the bases in memory."""

    active: int
    """Requests being computed."""

    waiting: int
    """Requests in the queue."""

    generated_tokens: int
    """Tokens computed since the start; stands still while nothing is generated."""


class Leaving(Shape):
    """The process ends once this is said."""

    status: Literal["leaving"] = "leaving"


async def show_health(request: Request) -> Response:
    """Answer that the process lives. Asking does not keep it alive."""
    scheduler = scheduler_of(request)
    return json_response(
        Health(
            version=__version__,
            pid=os.getpid(),
            loaded=list(scheduler.loaded),
            active=scheduler.active,
            waiting=scheduler.waiting,
            generated_tokens=scheduler.generated_tokens,
        )
    )


async def shut_down(request: Request) -> Response:
    """Tell the process to leave."""
    on_shutdown: Callable[[], None] = request.app.state.on_shutdown
    on_shutdown()
    return json_response(Leaving(), status=202)
