"""The `peft/chat/*` and `peft/serve/*` messages of the editor."""

import asyncio
from collections.abc import Awaitable
from contextlib import aclosing

from peft_daemon.rpc import bind, notify
from peft_daemon.serving import control, endpoint
from peft_daemon.serving.client import Answered, Delta, list_chat_models, stream_chat
from peft_daemon.serving.launch import ensure_running, runs_elsewhere
from peft_daemon.serving.watch import ServeWatch
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.base import Empty
from peft_schemas.chat import ChatDeltaParams, ChatModelsResult, ChatParams, ChatResult
from peft_schemas.conversations import AnswerMeasures
from peft_schemas.errors import WorkbenchError
from peft_schemas.serving import ServeEndpoint, ServeModelParams, ServePinParams, ServeStartParams, ServeStatus


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

    @bind(server, "peft/serve/start")
    async def start(params: ServeStartParams) -> ServeStatus:
        return await _start(server, watch, params.port)

    @bind(server, "peft/serve/stop")
    async def stop(_: Empty) -> ServeStatus:
        await asyncio.to_thread(endpoint.stop)
        return await watch.look()

    @bind(server, "peft/serve/restart")
    async def restart(_: Empty) -> ServeStatus:
        record = endpoint.find()
        await asyncio.to_thread(endpoint.stop)
        return await _start(server, watch, 0 if record is None else record.port)

    @bind(server, "peft/serve/load")
    async def load(params: ServeModelParams) -> ServeStatus:
        return await _changed(watch, control.load(params.model, python=server.python))

    @bind(server, "peft/serve/unload")
    async def unload(params: ServeModelParams) -> ServeStatus:
        status = await control.unload(params.model)
        watch.tell(status)
        return status

    @bind(server, "peft/serve/switch")
    async def switch(params: ServeModelParams) -> ServeStatus:
        return await _changed(watch, control.switch(params.model, python=server.python))

    @bind(server, "peft/serve/pin")
    async def pin(params: ServePinParams) -> ServeStatus:
        return await _changed(watch, control.pin(params.model, pinned=params.pinned, python=server.python))

    @bind(server, "peft/serve/endpoint")
    async def tell_endpoint(_: Empty) -> ServeEndpoint:
        async with watch.changing():
            record = await asyncio.to_thread(ensure_running, python=server.python)
        await watch.look()
        return ServeEndpoint(url=record.url, token=record.token)


async def _start(server: WorkbenchServer, watch: ServeWatch, port: int) -> ServeStatus:
    async with watch.changing():
        record = await asyncio.to_thread(ensure_running, python=server.python, port=port)
    if port not in (0, record.port):
        raise runs_elsewhere(record, port)
    return await watch.look()


async def _changed(watch: ServeWatch, change: Awaitable[ServeStatus]) -> ServeStatus:
    async with watch.changing():
        status = await change
    watch.tell(status)
    return status


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
        await watch.tell_failure(error.report())
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
