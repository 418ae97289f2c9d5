"""The typed `peft/*` messages: what the tables of `peft_schemas.protocol` name goes over the wire, and nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from peft_daemon.lsp.errors import INVALID_PARAMS, REQUEST_FAILED, ResponseError
from peft_daemon.system_errors import told
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError
from peft_schemas.protocol import NOTIFICATIONS, REQUESTS

if TYPE_CHECKING:
    from peft_daemon.workbench import WorkbenchServer

Params = TypeVar("Params", bound=Word)
Result = TypeVar("Result", bound=Word)
Done = TypeVar("Done")
Handler = Callable[[Params], Awaitable[Result]]

_REQUESTS = {request.method: request for request in REQUESTS}
_NOTIFICATIONS = {notification.method: notification for notification in NOTIFICATIONS}


def bind(server: WorkbenchServer, method: str) -> Callable[[Handler[Params, Result]], Handler[Params, Result]]:
    """Answer a `peft/*` request with a coroutine function from its params model to its result model.

    The handler sees only valid params. What it raises becomes a JSON-RPC error and a line in the log; it may let
    `asyncio.CancelledError` through, or catch it to answer what was done before the cancellation.

    Raises:
        KeyError: The method is not in `peft_schemas.protocol.REQUESTS`.
    """
    request = _REQUESTS[method]

    def register(handler: Handler[Params, Result]) -> Handler[Params, Result]:
        async def answer(params: Any) -> dict[str, Any]:
            try:
                result = await handler(_validated(method, request.params, params))  # type: ignore[arg-type]
            except (WorkbenchError, OSError) as error:
                report = error.report() if isinstance(error, WorkbenchError) else told(error)
                text = f"{report.message} {report.remedy}"
                raise ResponseError(REQUEST_FAILED, text, report.model_dump(mode="json")) from error
            return result.model_dump(mode="json")

        server.feature(method, answer)
        return handler

    return register


def notify(server: WorkbenchServer, method: str, params: Word) -> None:
    """Send a `peft/*` notification to the editor.

    Raises:
        TypeError: `params` is not the model that `peft_schemas.protocol.NOTIFICATIONS` names for the method.
    """
    expected = _NOTIFICATIONS[method].params
    if type(params) is not expected:
        raise TypeError(f"{method} carries {expected.__name__}, not {type(params).__name__}")
    server.notify(method, params.model_dump(mode="json"))


async def in_thread(work: Callable[[Callable[[], bool]], Done]) -> Done:
    """Do long work beside the event loop; a cancel is answered when nothing is left of the work, or it is done.

    Args:
        work: Given what tells whether it is still wanted, which it asks now and then, and raises when it is not.
    """
    unwanted = threading.Event()
    working = asyncio.ensure_future(asyncio.to_thread(work, unwanted.is_set))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        unwanted.set()
        await asyncio.wait([working])
        if working.exception() is not None:
            raise
        # It was done before it heard of that.
        return working.result()


def _validated(method: str, model: type[Word], params: Any) -> Word:
    try:
        return model.model_validate({} if params is None else params)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "params"
        raise ResponseError(INVALID_PARAMS, f"{method}: {where}: {first['msg']}.") from None
