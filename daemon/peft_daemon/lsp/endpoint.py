"""One end of a JSON-RPC connection: answers requests, hears notifications, and sends both."""

import asyncio
import inspect
import json
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from peft_daemon.lsp.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    REQUEST_CANCELLED,
    ResponseError,
)
from peft_daemon.lsp.params import PARAMS
from peft_daemon.lsp.shapes import misfit

_log = logging.getLogger(__name__)

Send = Callable[[bytes], None]
Handler = Callable[[Any], Any]
"""Takes the params. A coroutine function is run beside everything else and can be cancelled."""


class Endpoint:
    """Everything here runs on the event loop: a handler must be quick, or a coroutine function that awaits."""

    def __init__(self, send: Send) -> None:
        """Make an end that knows no method yet.

        Args:
            send: Takes the bytes of each message to the other end.
        """
        self._send = send
        self._handlers: dict[str, Handler] = {}
        self._listeners: dict[str, list[Handler]] = {}
        self._running: dict[int | str, asyncio.Future[Any]] = {}
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.listen("$/cancelRequest", self._cancel)

    def feature(self, method: str, handler: Handler) -> None:
        """Answer a request with what the handler returns, or with the `ResponseError` that it raises.

        The handler gets params of the shape that `params.PARAMS` has for the method. A request that the other end
        cancels is cancelled in its handler, which may catch that and answer what it has.

        Raises:
            ValueError: The method has a handler already.
        """
        if self.answers(method):
            raise ValueError(f"{method} is answered already")
        self._handlers[method] = handler

    def listen(self, method: str, listener: Handler) -> None:
        """Hear a notification. There may be several listeners; they hear it in the order in which they came."""
        self._listeners.setdefault(method, []).append(listener)

    async def request(self, method: str, params: Any = None) -> Any:
        """Ask the other end.

        Raises:
            ResponseError: The other end answered with an error.
        """
        self._last_id += 1
        id_ = self._last_id
        answer = self._waiting[id_] = asyncio.get_running_loop().create_future()
        self._write({"id": id_, "method": method, "params": params})
        try:
            return await answer
        except asyncio.CancelledError:
            self.notify("$/cancelRequest", {"id": id_})
            raise
        finally:
            del self._waiting[id_]

    def notify(self, method: str, params: Any = None) -> None:
        """Tell the other end."""
        self._write({"method": method, "params": params})

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine beside everything else; what it raises goes to the log."""
        task = asyncio.get_running_loop().create_task(work)
        # The loop holds tasks weakly: without this set a running one could be collected.
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def receive(self, body: bytes) -> None:
        """Take a message from the other end. Whatever it is, it is answered if it can be, and nothing is raised."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as error:
            self._refuse(None, ResponseError(PARSE_ERROR, f"The message is not JSON: {error}."))
            return
        match message:
            case {"method": str(method), "id": int() | str() as id_}:
                self._answer(id_, method, message.get("params"))
            case {"method": str(method)} if "id" not in message:
                self._hear(method, message.get("params"))
            case {"id": int() as id_, "result": _} | {"id": int() as id_, "error": _}:
                self._settle(id_, message)
            case _:
                text = "The message is no request, notification or response."
                self._refuse(None, ResponseError(INVALID_REQUEST, text))

    def admit(self, method: str) -> None:
        """Refuse a request that may not come now.

        Raises:
            ResponseError: It may not.
        """

    def hears(self, method: str) -> bool:
        """Tell whether a notification is heard now."""
        return True

    def answers(self, method: str) -> bool:
        """Tell whether a request has a handler."""
        return method in self._handlers

    def handler(self, method: str) -> Handler:
        """Return what answers a request.

        Raises:
            ResponseError: Nothing does.
        """
        if not self.answers(method):
            raise ResponseError(METHOD_NOT_FOUND, f"{method}: this server has no such method.")
        return self._handlers[method]

    def _answer(self, id_: int | str, method: str, params: Any) -> None:
        try:
            self.admit(method)
            if id_ in self._running:
                raise ResponseError(INVALID_REQUEST, f"{method}: a request with the id {id_!r} is still running.")
            handler = self.handler(method)
            if problem := _problem(method, params):
                raise ResponseError(INVALID_PARAMS, problem)
            result = handler(params)
        except Exception as error:
            self._refuse(id_, _as_response_error(method, error))
            return
        if inspect.iscoroutine(result):
            task = self._running[id_] = asyncio.get_running_loop().create_task(result)
            # Not a coroutine around it: one that is cancelled before its first step would never answer.
            task.add_done_callback(partial(self._answered, id_, method))
        else:
            self._respond(id_, method, result)

    def _answered(self, id_: int | str, method: str, task: "asyncio.Task[Any]") -> None:
        del self._running[id_]
        if task.cancelled():
            self._refuse(id_, ResponseError(REQUEST_CANCELLED, f"{method}: cancelled."))
        elif (error := task.exception()) is not None:
            self._refuse(id_, _as_response_error(method, error))
        else:
            self._respond(id_, method, task.result())

    def _respond(self, id_: int | str, method: str, result: Any) -> None:
        try:
            self._write({"id": id_, "result": result})
        except (TypeError, ValueError) as error:  # the result is not JSON
            self._refuse(id_, _as_response_error(method, error))

    def _refuse(self, id_: int | str | None, error: ResponseError) -> None:
        self._write({"id": id_, "error": error.as_json()})

    def _hear(self, method: str, params: Any) -> None:
        if not self.hears(method):
            return
        if problem := _problem(method, params):
            _log.warning("%s", problem)
            return
        for listener in self._listeners.get(method, ()):
            try:
                result = listener(params)
            except Exception:
                _log.exception("%s could not be followed", method)
                continue
            if inspect.iscoroutine(result):
                self.spawn(result)

    def _cancel(self, params: Any) -> None:
        if (running := self._running.get(params["id"])) is not None:
            running.cancel()

    def _settle(self, id_: int, message: dict[str, Any]) -> None:
        answer = self._waiting.get(id_)
        if answer is None or answer.done():
            _log.warning("a response came for no request: %r", id_)
        elif isinstance(error := message.get("error"), dict):
            text = str(error.get("message", ""))
            answer.set_exception(ResponseError(error.get("code", INTERNAL_ERROR), text, error.get("data")))
        else:
            answer.set_result(message.get("result"))

    def _write(self, message: dict[str, Any]) -> None:
        # Escapes keep the bytes valid also where a text holds half a surrogate pair, which no encoding can carry.
        self._send(json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":"), allow_nan=False).encode())

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)


def _problem(method: str, params: Any) -> str | None:
    shape = PARAMS.get(method)
    problem = None if shape is None else misfit(params, shape)
    return None if problem is None else f"{method}: {problem}."


def _as_response_error(method: str, error: BaseException) -> ResponseError:
    """Return what is said of an error: its own words if they were meant for the other end, else where to look."""
    if isinstance(error, ResponseError):
        return error
    _log.error("%s failed", method, exc_info=error)
    text = f"{method} failed inside the server ({type(error).__name__}); its log says where."
    return ResponseError(INTERNAL_ERROR, text)
