"""The routes under `/runs`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from peft_daemon.http.bodies import CancelBody, MoveBody, NoBody, RecoverBody, ResumeBody, StartBody, StopBody
from peft_daemon.http.errors import body_at_fault, fault, not_offered, system_error, unguarded, workbench_error
from peft_daemon.http.queries import EventsQuery, ListQuery
from peft_daemon.runs import commands
from peft_daemon.runs.follow import RunFollower, summarise
from peft_daemon.runs.launch import launch
from peft_daemon.runs.store import find_runs
from peft_engine.loopback.guard import Guard
from peft_engine.rundir import RunDirectory, find_run
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import RESTING_STATES
from peft_schemas.records import RunQuery

Body = TypeVar("Body", bound=Word)
Answer = Callable[[Request], Awaitable[Response]]

_LOOK = 0.25
"""Seconds between two looks at the log of a run that is followed."""


def build_app(*, token: str, python: str) -> ASGIApp:
    """Return the guarded application.

    Args:
        token: What every request must carry.
        python: The interpreter that trains.
    """

    def start(body: StartBody) -> RunDirectory:
        return launch(Path(body.path), python=python)

    def resume(run: RunDirectory, body: ResumeBody) -> None:
        commands.resume(run, python=python, accept_changes=body.accept_changes)

    app = Starlette(
        routes=[
            Route("/runs", _list),
            Route("/runs", _starts(start), methods=["POST"]),
            Route("/runs/{run_id}", _show),
            Route("/runs/{run_id}/events", _events),
            Route("/runs/{run_id}/pause", _does(NoBody, lambda run, _: commands.pause(run)), methods=["POST"]),
            Route("/runs/{run_id}/resume", _does(ResumeBody, resume), methods=["POST"]),
            Route("/runs/{run_id}/stop", _does(StopBody, _stop), methods=["POST"]),
            Route("/runs/{run_id}/cancel", _does(CancelBody, _cancel), methods=["POST"]),
            Route("/runs/{run_id}/move", _does(MoveBody, _move), methods=["POST"]),
            Route("/runs/{run_id}/recover", _does(RecoverBody, _recover), methods=["POST"]),
        ],
        exception_handlers={
            WorkbenchError: workbench_error,
            OSError: system_error,
            HTTPException: not_offered,
            Exception: fault,
        },
    )
    return Guard(app, token=token, token_from="that `peftw api` prints", answer=unguarded)  # noqa: S106  (no token)


async def _list(request: Request) -> Response:
    try:
        query = ListQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        return body_at_fault(error)
    return _json(await asyncio.to_thread(find_runs, RunQuery(limit=query.limit, offset=query.offset)))


async def _show(request: Request) -> Response:
    return _json(await asyncio.to_thread(summarise, _run(request)))


async def _events(request: Request) -> Response:
    """Stream the events, a line of JSON each, until the run rests; then the stream ends."""
    try:
        query = EventsQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        return body_at_fault(error)
    follower = RunFollower(_run(request))
    return StreamingResponse(
        _lines(follower, query.after_seq), media_type="application/x-ndjson", headers={"Cache-Control": "no-store"}
    )


async def _lines(follower: RunFollower, after: int) -> AsyncIterator[str]:
    while True:
        events = await asyncio.to_thread(follower.read)
        for event in events:
            if event.seq > after:
                yield event.model_dump_json() + "\n"
        if follower.summary().state in RESTING_STATES:
            return
        await asyncio.sleep(_LOOK)


def _starts(start: Callable[[StartBody], RunDirectory]) -> Answer:
    async def answer(request: Request) -> Response:
        try:
            body = await _body(request, StartBody)
        except ValidationError as error:
            return body_at_fault(error)
        run = await asyncio.to_thread(start, body)
        return _json(summarise(run), status=201)

    return answer


def _does(model: type[Body], do: Callable[[RunDirectory, Body], None]) -> Answer:
    """Return what does something with a run and answers with the run as it is then."""

    async def answer(request: Request) -> Response:
        run = _run(request)
        try:
            body = await _body(request, model)
        except ValidationError as error:
            return body_at_fault(error)
        await asyncio.to_thread(do, run, body)
        return _json(await asyncio.to_thread(summarise, run))

    return answer


def _stop(run: RunDirectory, body: StopBody) -> None:
    if body.force:
        commands.kill(run)
    else:
        commands.stop(run)


def _cancel(run: RunDirectory, body: CancelBody) -> None:
    commands.cancel(run, remove=body.remove)


def _move(run: RunDirectory, body: MoveBody) -> None:
    commands.move_in_queue(run, body.to)


def _recover(run: RunDirectory, body: RecoverBody) -> None:
    commands.recover(run, body.action, anomaly=body.anomaly, undoes=body.undoes)


def _run(request: Request) -> RunDirectory:
    return find_run(request.path_params["run_id"])


async def _body(request: Request, model: type[Body]) -> Body:
    return model.model_validate_json(await request.body() or b"{}")


def _json(value: Word, *, status: int = 200) -> Response:
    return Response(value.model_dump_json(), status, media_type="application/json")
