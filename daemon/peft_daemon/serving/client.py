"""Asking the inference process."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from peft_daemon.serving.endpoint import authorization
from peft_daemon.serving.launch import ensure_running
from peft_daemon.serving.refusal import interrupted, refused
from peft_engine.catalog import Servable, find_servable, list_servable
from peft_engine.serve_record import ServeRecord
from peft_schemas.chat import ChatMessage, ChatModel, ChatTool, ToolCall

_TIMEOUT = httpx.Timeout(60, connect=5, read=None)
"""Seconds. Reading may wait as long as the queue is: the process sends signs of life, and its death ends the stream."""


@dataclass(frozen=True)
class Delta:
    """A piece of an answer."""

    text: str


@dataclass(frozen=True)
class Answered:
    """The end of an answer. Seconds count from the request's arrival in the inference process."""

    finish_reason: Literal["stop", "length", "tool_calls"]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    queued_seconds: float | None
    first_token_seconds: float | None
    tokens_per_second: float | None
    tool_calls: tuple[ToolCall, ...]


def list_chat_models() -> list[ChatModel]:
    """Return what can be chatted with, bases first, then adapters, newest first. Starts nothing."""
    return [_chat_model(model) for model in list_servable()]


def find_chat_model(model_id: str) -> ChatModel:
    """Return the model of an id, one with a scale or with several adapters among them. Starts nothing.

    Raises:
        WorkbenchError: There is none (`model-missing`), or it has no form that is served.
    """
    return _chat_model(find_servable(model_id))


def _chat_model(model: Servable) -> ChatModel:
    return ChatModel(
        id=model.id,
        label=model.label,
        base=model.base,
        run_id=model.run_id,
        context_length=model.context_length,
        tool_calling="tools" in model.capabilities,
    )


async def stream_chat(
    model: str,
    messages: Sequence[ChatMessage],
    *,
    max_tokens: int | None = None,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int | None = None,
    tools: Sequence[ChatTool] = (),
    tool_choice: Literal["auto", "required"] = "auto",
    python: str = sys.executable,
    progress: Callable[[str], None] = lambda _: None,
) -> AsyncGenerator[Delta | Answered, None]:
    """Yield an answer piece by piece and then its end. Starts the inference process if none runs.

    Closing the iterator, or cancelling the task that reads it, stops the computation.

    Args:
        model: `<base>` or `<base>:<run id>`.
        messages: The conversation, the question last.
        max_tokens: The most tokens of the answer; None for as many as the context holds.
        temperature: 0 for the most likely answer.
        top_p: Only the most likely tokens that together have this probability are drawn from.
        seed: Of the random choices; None for another one each time.
        tools: Functions that the model may ask to be called.
        tool_choice: Whether it decides, or has to call one.
        python: The interpreter that serves, when a process must be started.
        progress: Told what is being waited for.

    Raises:
        WorkbenchError: There is no answer, or no more of it.
    """
    record = await asyncio.to_thread(ensure_running, python=python, progress=progress)
    body = {
        "model": model,
        "messages": [_message(message) for message in messages],
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if tools:
        body["tools"] = [{"type": "function", "function": tool.model_dump()} for tool in tools]
        body["tool_choice"] = tool_choice
    progress("waiting for the model")
    finish_reason: Literal["stop", "length", "tool_calls"] | None = None
    calls: dict[int, dict[str, str]] = {}
    try:
        # Closing us must close the connection at once and not with the garbage: that is what stops the computation.
        async with aclosing(_chunks(record, body)) as chunks:
            async for chunk in chunks:
                for choice in chunk["choices"]:
                    if choice["delta"].get("content"):
                        yield Delta(choice["delta"]["content"])
                    for piece in choice["delta"].get("tool_calls") or []:
                        _add_to_call(calls.setdefault(piece["index"], {}), piece)
                    finish_reason = choice["finish_reason"] or finish_reason
                if finish_reason is not None and chunk.get("usage"):
                    yield _answered(finish_reason, chunk, [calls[index] for index in sorted(calls)])
    except httpx.HTTPError as error:
        raise interrupted() from error
    if finish_reason is None:
        raise interrupted()


async def _chunks(record: ServeRecord, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    # trust_env would send a loopback request, and its token, to a proxy.
    async with (
        httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client,
        client.stream("POST", f"{record.url}/chat/completions", json=body, headers=authorization(record)) as response,
    ):
        if response.status_code != 200:
            raise refused(json.loads(await response.aread()))
        async for line in response.aiter_lines():
            data = line.removeprefix("data: ")
            if data == line or data == "[DONE]":
                continue
            chunk = json.loads(data)
            if "error" in chunk:
                raise refused(chunk)
            yield chunk


def _message(message: ChatMessage) -> dict[str, Any]:
    """Return a turn in OpenAI's shape."""
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _add_to_call(call: dict[str, str], piece: dict[str, Any]) -> None:
    """Add what a chunk says of a call: its id and name come once, its arguments in pieces."""
    function = piece.get("function") or {}
    call["id"] = piece.get("id") or call.get("id", "")
    call["name"] = function.get("name") or call.get("name", "")
    call["arguments"] = call.get("arguments", "") + (function.get("arguments") or "")


def _answered(
    reason: Literal["stop", "length", "tool_calls"], chunk: dict[str, Any], calls: Sequence[dict[str, str]]
) -> Answered:
    timings, usage = chunk.get("timings", {}), chunk["usage"]
    return Answered(
        finish_reason=reason,
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        queued_seconds=timings.get("queued_seconds"),
        first_token_seconds=timings.get("first_token_seconds"),
        tokens_per_second=timings.get("tokens_per_second"),
        tool_calls=tuple(ToolCall(**call) for call in calls),
    )
