"""From a conversation that a client holds to answers on their way, whichever API it was asked through."""

import asyncio
from dataclasses import dataclass, replace

from starlette.requests import Request

from peft_engine.catalog import Servable
from peft_engine.inference.contract import GenerationRequest
from peft_engine.inference.http.asking import find_model
from peft_engine.inference.http.chat_request import ChatCompletionRequest
from peft_engine.inference.http.running import Running, adapters_of, start
from peft_engine.inference.tools.own_template import own_template
from peft_engine.inference.tools.plan import Plan, plan


@dataclass(frozen=True)
class Talk:
    """A conversation whose next turn is being made."""

    model: Servable
    plan: Plan
    running: Running


async def begin(request: Request, asked: ChatCompletionRequest) -> Talk:
    """Find the model, decide how it is told of functions and form, and queue the answers.

    Raises:
        WorkbenchError: There is no such model, or it cannot be served.
        Overloaded: Too many wait already.
    """
    model = await find_model(request, asked.model)
    way = plan(
        [turn.message() for turn in asked.messages],
        asked.tool_use,
        template=await asyncio.to_thread(own_template, model),
        schema=asked.schema_of_text,
    )
    wanted = GenerationRequest(
        prompt=replace(way.conversation, template=model.template),
        adapters=adapters_of(model),
        sampling=asked.sampling(model.sampling),
        max_tokens=model.sampling.max_tokens if asked.limit is None else asked.limit,
        stop=asked.stops,
        constraint=way.constraint,
        top_logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
    )
    return Talk(model, way, start(request, model, [wanted], answers=asked.answers))
