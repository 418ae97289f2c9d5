"""Changing what the inference process has in memory."""

import asyncio
import sys
from typing import Literal

import httpx

from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running
from peft_daemon.serving.refusal import interrupted, refused
from peft_engine.serve_record import ServeRecord
from peft_schemas.base import Word
from peft_schemas.serving import ServeModelParams, ServePinParams, ServeStatus

Change = Literal["load", "unload", "switch", "pin"]

_TIMEOUT = httpx.Timeout(60, connect=5, read=None)
"""Seconds. A large model on a slow disk takes minutes; the death of the process ends the wait."""


async def load(model: str, *, python: str = sys.executable) -> ServeStatus:
    """Bring a model's base into memory, starting the process if none runs. Cancelling gives the load up.

    Raises:
        WorkbenchError: It cannot be loaded.
    """
    return await _change("load", ServeModelParams(model=model), await _running(python))


async def switch(model: str, *, python: str = sys.executable) -> ServeStatus:
    """Load a model and make it the default, starting the process if none runs.

    Raises:
        WorkbenchError: It cannot be loaded; the default is the one before.
    """
    return await _change("switch", ServeModelParams(model=model), await _running(python))


async def pin(model: str, *, pinned: bool, python: str = sys.executable) -> ServeStatus:
    """Keep a model's base in memory once it is there, or no longer, starting the process if none runs.

    Raises:
        WorkbenchError: There is no such model.
    """
    return await _change("pin", ServePinParams(model=model, pinned=pinned), await _running(python))


async def unload(model: str) -> ServeStatus:
    """Free a model's base when its answers are complete. Nothing happens where no process runs.

    Raises:
        WorkbenchError: There is no such model.
    """
    record = endpoint.find()
    if record is None:
        return await asyncio.to_thread(endpoint.status)
    return await _change("unload", ServeModelParams(model=model), record)


async def _running(python: str) -> ServeRecord:
    return await asyncio.to_thread(ensure_running, python=python)


async def _change(change: Change, params: Word, record: ServeRecord) -> ServeStatus:
    try:
        # Cancelled, this closes the connection, and that is what gives a load up.
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            answer = await client.post(
                f"{record.root}/models/{change}", json=params.model_dump(), headers=endpoint.authorization(record)
            )
    except httpx.HTTPError as error:
        raise interrupted() from error
    if answer.status_code != 200:
        raise refused(answer.json())
    return ServeStatus.model_validate_json(answer.content)
