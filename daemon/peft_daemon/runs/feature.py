"""The `peft/run/*` messages of the editor."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from peft_daemon.rpc import bind, notify
from peft_daemon.runs import commands
from peft_daemon.runs.follow import summarise
from peft_daemon.runs.launch import ConfigRefused, launch
from peft_daemon.runs.resume import ResumeChanged
from peft_daemon.runs.store import all_runs, read_history
from peft_daemon.runs.watch import RunWatch
from peft_daemon.workbench import WorkbenchServer
from peft_engine.hardware import detect
from peft_engine.rundir import RunDirectory, find_run
from peft_schemas.base import Empty
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import AnyEvent
from peft_schemas.hardware import HardwareReport
from peft_schemas.runs import (
    RunCancelParams,
    RunEventsParams,
    RunIdParams,
    RunListResult,
    RunMoveParams,
    RunMoveResult,
    RunRecoverParams,
    RunResult,
    RunResumeParams,
    RunResumeResult,
    RunStartParams,
    RunStartResult,
    RunSummary,
    SubscribeParams,
    SubscribeResult,
)


def register(server: WorkbenchServer) -> None:
    """Answer the messages about runs, and tell the editor when a run changes."""

    def on_change(runs: list[RunSummary]) -> None:
        notify(server, "peft/runs/changed", RunListResult(runs=runs))

    def on_events(run: RunSummary, events: list[AnyEvent]) -> None:
        notify(server, "peft/run/events", RunEventsParams(run=run, events=events))

    watch = RunWatch(on_change, on_events)
    server.on_initialized(watch.forever)

    @bind(server, "peft/run/start")
    async def start(params: RunStartParams) -> RunStartResult:
        try:
            run = await asyncio.to_thread(launch, Path(params.path), python=server.python)
        except ConfigRefused as refused:
            return RunStartResult(run=None, findings=refused.checked.findings, error=refused.report())
        except WorkbenchError as error:
            return RunStartResult(run=None, error=error.report())
        return RunStartResult(run=summarise(run))

    @bind(server, "peft/run/pause")
    async def pause(params: RunIdParams) -> RunResult:
        return await _done(params.run_id, commands.pause)

    @bind(server, "peft/run/stop")
    async def stop(params: RunIdParams) -> RunResult:
        return await _done(params.run_id, commands.stop)

    @bind(server, "peft/run/cancel")
    async def cancel(params: RunCancelParams) -> RunResult:
        return await _done(params.run_id, partial(commands.cancel, remove=params.remove))

    @bind(server, "peft/run/recover")
    async def recover(params: RunRecoverParams) -> RunResult:
        asked = partial(commands.recover, action=params.action, anomaly=params.anomaly, undoes=params.undoes)
        return await _done(params.run_id, asked)

    @bind(server, "peft/run/move")
    async def move(params: RunMoveParams) -> RunMoveResult:
        try:
            run = find_run(params.run_id)
            return RunMoveResult(waiting=await asyncio.to_thread(commands.move_in_queue, run, params.to))
        except WorkbenchError as error:
            return RunMoveResult(error=error.report())

    @bind(server, "peft/run/resume")
    async def resume(params: RunResumeParams) -> RunResumeResult:
        again = partial(commands.resume, python=server.python, accept_changes=params.accept_changes)
        try:
            run = find_run(params.run_id)
            await asyncio.to_thread(again, run)
        except ResumeChanged as changed:
            return RunResumeResult(run=None, changes=changed.changes, error=changed.report())
        except WorkbenchError as error:
            return RunResumeResult(run=None, error=error.report())
        return RunResumeResult(run=await asyncio.to_thread(summarise, run))

    @bind(server, "peft/run/show")
    async def show(params: RunIdParams) -> RunResult:
        return await _done(params.run_id, lambda _: None)

    @bind(server, "peft/runs/list")
    async def list_all(_: Empty) -> RunListResult:
        return RunListResult(runs=await asyncio.to_thread(all_runs))

    @bind(server, "peft/run/subscribe")
    async def subscribe(params: SubscribeParams) -> SubscribeResult:
        try:
            if params.points is None:
                summary, events = watch.subscribe(params.run_id, params.after_seq)
                return SubscribeResult(run=summary, events=events)
            past = await asyncio.to_thread(read_history, params.run_id, params.points)
            last_seq = past.place.seq
            summary, events = watch.subscribe(params.run_id, last_seq, past.place)
        except WorkbenchError as error:
            return SubscribeResult(run=None, error=error.report())
        return SubscribeResult(run=summary, events=[*past.events, *events], series=past.series, last_seq=last_seq)

    @bind(server, "peft/run/unsubscribe")
    async def unsubscribe(params: RunIdParams) -> Empty:
        watch.unsubscribe(params.run_id)
        return Empty()

    @bind(server, "peft/hardware")
    async def hardware(_: Empty) -> HardwareReport:
        return await asyncio.to_thread(detect)


async def _done(run_id: str, command: Callable[[RunDirectory], object]) -> RunResult:
    """Do something with a run and return it as it is then, or why that cannot be."""
    try:
        run = find_run(run_id)
        # Some commands wait: for the lock of a run, or for its worker to end.
        await asyncio.to_thread(command, run)
        return RunResult(run=await asyncio.to_thread(summarise, run))
    except WorkbenchError as error:
        return RunResult(run=None, error=error.report())
