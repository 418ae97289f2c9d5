"""The `peft/chat/*` and `peft/serve/*` messages of the editor."""

import asyncio
import logging
from contextlib import aclosing

from peft_daemon.rpc import bind, notify
from peft_daemon.serving import endpoint
from peft_daemon.serving.client import Answered, Delta, list_chat_models, stream_chat
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.conversations import AnswerMeasures
from peft_schemas.errors import ErrorReport, WorkbenchError
from peft_schemas.protocol import (
    ChatDeltaParams,
    ChatModelsResult,
    ChatParams,
    ChatResult,
    Empty,
)
from peft_schemas.serving import ServeStatus

_INTERVAL = 1.0
"""Seconds between two looks at whether the inference process lives. A look reads one small file."""

_log = logging.getLogger(__name__)


class ServeWatch:
    """Tells the editor when the inference process starts, loads a model, fails, leaves or dies, whoever caused it."""

    def __init__(self, server: WorkbenchServer) -> None:
        """Remember whom to tell."""
        self._server = server
        self._told = ServeStatus(state="stopped")
        self._seen: int | None = None

    def tell(self, status: ServeStatus) -> None:
        """Send a status that differs from the last one sent."""
        if status != self._told:
            self._told = status
            notify(self._server, "peft/serve/changed", status)

    async def look(self) -> ServeStatus:
        """Ask the process itself, and tell."""
        status = await asyncio.to_thread(endpoint.status)
        self._seen = status.pid
        self.tell(status)
        return status

    async def forever(self) -> None:
        """Notice processes that come and go, until cancelled."""
        while True:
            try:
                record = endpoint.find()
                if (record.pid if record else None) != self._seen:
                    await self.look()
            except Exception:
                _log.exception("could not look at the inference process")
            await asyncio.sleep(_INTERVAL)


def register(server: WorkbenchServer) -> None:
    """Answer the messages about chat and about the inference process."""
    watch = ServeWatch(server)
    server.on_initialized(watch.forever)

    @bind(server, "peft/chat/models")
    async def models(_: Empty) -> ChatModelsResult:
        return ChatModelsResult(models=await asyncio.to_thread(list_chat_models))

    @bind(server, "peft/chat/complete")
    async def complete(params: ChatParams) -> ChatResult:
        return await _complete(server, watch, params)

    @bind(server, "peft/serve/status")
    async def status(_: Empty) -> ServeStatus:
        return await watch.look()

    @bind(server, "peft/serve/stop")
    async def stop(_: Empty) -> ServeStatus:
        await asyncio.to_thread(endpoint.stop)
        return await watch.look()


async def _complete(server: WorkbenchServer, watch: ServeWatch, params: ChatParams) -> ChatResult:
    """Stream one answer to the editor. `$/cancelRequest` stops the computation."""
    text = ""
    if endpoint.find() is None:
        watch.tell(ServeStatus(state="starting"))
    try:
        answer: Answered | None = None
        stream = stream_chat(
            params.model,
            params.messages,
            max_tokens=params.max_tokens,
            temperature=params.temperature,
            top_p=params.top_p,
            seed=params.seed,
            tools=params.tools,
            tool_choice=params.tool_choice,
            python=server.python,
        )
        async with aclosing(stream):
            async for event in stream:
                if isinstance(event, Delta):
                    text += event.text
                    notify(server, "peft/chat/delta", ChatDeltaParams(request_id=params.request_id, text=event.text))
                else:
                    answer = event
        status = await watch.look()
    except asyncio.CancelledError:
        # The editor asked for it, so it is an answer: what was said until then.
        return ChatResult(text=text, finish_reason="cancelled")
    except WorkbenchError as error:
        await _tell_failure(watch, error.report())
        return ChatResult(text=text, finish_reason="error", error=error.report())
    if answer is None:
        return ChatResult(text=text, finish_reason="stop")
    return ChatResult(
        text=text,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        measures=AnswerMeasures(
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            cached_tokens=answer.cached_tokens,
            queued_seconds=answer.queued_seconds,
            first_token_seconds=answer.first_token_seconds,
            tokens_per_second=answer.tokens_per_second,
            memory_bytes=status.memory_bytes or None,
        ),
        tool_calls=list(answer.tool_calls),
    )


async def _tell_failure(watch: ServeWatch, error: ErrorReport) -> None:
    status = await watch.look()
    if status.state == "stopped":
        watch.tell(ServeStatus(state="error", error=error))
