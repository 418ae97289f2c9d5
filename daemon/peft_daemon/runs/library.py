"""The messages about runs as a collection: finding, drawing, versions, notes, clean-up, moving to another machine."""

import asyncio
import logging
import shutil
import sqlite3
from functools import partial
from pathlib import Path

from peft_daemon.rpc import bind, in_thread, notify
from peft_daemon.runs.bundle import export_run, import_run
from peft_daemon.runs.follow import summarise
from peft_daemon.runs.retention import DiskWatch, cleanup_plan, remove
from peft_daemon.runs.store import find_runs, list_artifacts, read_series, update
from peft_daemon.workbench import WorkbenchServer
from peft_engine.home import home
from peft_engine.notes import read_notes, write_notes
from peft_engine.rundir import find_run
from peft_engine.settings import read_settings
from peft_engine.versions import list_versions
from peft_schemas.base import Empty
from peft_schemas.errors import WorkbenchError
from peft_schemas.records import (
    ArtifactList,
    BundleManifest,
    CleanupParams,
    CleanupPlan,
    CleanupResult,
    ExportParams,
    ImportBundleParams,
    NoteParams,
    RunNotes,
    RunQuery,
    SeriesParams,
    SeriesResult,
    VersionList,
    VersionsParams,
)
from peft_schemas.runs import RunIdParams, RunPage, RunResult

_DISK_INTERVAL = 60.0
"""Seconds between two looks at the free space."""

_INDEX_INTERVAL = 15.0
"""Seconds between two looks at the run directories for what the index lacks."""

_log = logging.getLogger(__name__)


def register(server: WorkbenchServer) -> None:
    """Answer the messages, each in a thread of its own, and watch the disk."""

    @bind(server, "peft/runs/find")
    async def find(params: RunQuery) -> RunPage:
        return await asyncio.to_thread(find_runs, params)

    @bind(server, "peft/run/series")
    async def series(params: SeriesParams) -> SeriesResult:
        return SeriesResult(series=await asyncio.to_thread(read_series, params))

    @bind(server, "peft/run/artifacts")
    async def artifacts(params: RunIdParams) -> ArtifactList:
        return ArtifactList(artifacts=await asyncio.to_thread(list_artifacts, params.run_id))

    @bind(server, "peft/run/note")
    async def note(params: NoteParams) -> RunNotes:
        run = find_run(params.run_id)
        changes = params.model_dump(exclude={"run_id"}, exclude_none=True)
        notes = read_notes(run).model_copy(update=changes)
        write_notes(run, notes)
        return notes

    @bind(server, "peft/runs/versions")
    async def versions(params: VersionsParams) -> VersionList:
        await asyncio.to_thread(update)
        return VersionList(versions=await asyncio.to_thread(list_versions, params.name))

    @bind(server, "peft/runs/cleanup")
    async def cleanup(_: Empty) -> CleanupPlan:
        return await asyncio.to_thread(cleanup_plan)

    @bind(server, "peft/runs/clean")
    async def clean(params: CleanupParams) -> CleanupResult:
        return await asyncio.to_thread(remove, params.ids)

    @bind(server, "peft/run/export")
    async def export(params: ExportParams) -> BundleManifest:
        run = find_run(params.run_id)
        write = partial(export_run, run, Path(params.path), checkpoints=params.checkpoints)
        return await in_thread(lambda cancelled: write(cancelled=cancelled))

    @bind(server, "peft/runs/import")
    async def import_(params: ImportBundleParams) -> RunResult:
        run = await in_thread(lambda cancelled: import_run(Path(params.path), cancelled=cancelled))
        return RunResult(run=summarise(run))

    async def watch_the_disk() -> None:
        watch = DiskWatch()
        while True:
            plan = await asyncio.to_thread(_plan_if_low, watch)
            if plan is not None:
                notify(server, "peft/disk/low", plan)
            await asyncio.sleep(_DISK_INTERVAL)

    async def keep_the_index() -> None:
        while True:
            # So that a long run is not read from its beginning when it is first asked for.
            await asyncio.sleep(_INDEX_INTERVAL)
            await asyncio.to_thread(_index)

    server.on_initialized(watch_the_disk)
    server.on_initialized(keep_the_index)


def _index() -> None:
    try:
        update()
    except (WorkbenchError, OSError, sqlite3.Error) as error:
        _log.warning("the runs could not be indexed now: %s", error)


def _plan_if_low(watch: DiskWatch) -> CleanupPlan | None:
    """Return what could be removed, when space has become low since the last look."""
    try:
        free = shutil.disk_usage(_existing(home())).free
        return cleanup_plan() if watch.became_low(free, read_settings().retention) else None
    except (WorkbenchError, OSError) as error:
        _log.warning("the free space could not be looked at: %s", error)
        return None


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
