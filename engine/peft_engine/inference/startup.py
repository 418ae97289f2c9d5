"""Loading what the user's files name, and looking for models, when the process starts.

A model that cannot be loaded does not stop the rest.

One that kills the process is not loaded again by the next: it would kill each that is started. A file says what is
being loaded; whoever finds it there when it starts knows how the one before it ended.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from peft_engine.catalog import list_servable
from peft_engine.files import write_atomic
from peft_engine.home import home
from peft_engine.inference.scheduler import Scheduler
from peft_engine.library.scan import scan_in_thread
from peft_schemas.errors import ErrorReport, WorkbenchError

_log = logging.getLogger(__name__)


async def start_up(scheduler: Scheduler, *, load: Sequence[str], pin: Sequence[str]) -> None:
    """Load what is configured, and bring the library up to the disk for whoever has no editor open, which does that.

    Args:
        scheduler: Where models are loaded.
        load: Ids of models.
        pin: Ids of models whose bases stay in memory.
    """
    await asyncio.gather(load_configured(scheduler, load=load, pin=pin), _look_for_models())


async def load_configured(scheduler: Scheduler, *, load: Sequence[str], pin: Sequence[str]) -> None:
    """Load models one after the other, those that stay first. The first of `load` becomes the default.

    Args:
        scheduler: Where they are loaded; its residents say which ones could not be, and why.
        load: Ids of models.
        pin: Ids of models whose bases stay in memory, beside those whose definition says so.
    """
    deadly = _take_note()
    pin = [*pin, *(model.id for model in await asyncio.to_thread(list_servable) if model.pinned)]
    for model_id in dict.fromkeys([*pin, *load]):
        if model_id == deadly:
            scheduler.note_failure(model_id, _killed(model_id))
            continue
        write_atomic(_note(), model_id)
        try:
            model = await asyncio.to_thread(scheduler.find, model_id)
            if model_id in pin:
                scheduler.pin(model.base, pinned=True)
            if load and model_id == load[0]:
                await scheduler.switch(model)
            else:
                await scheduler.load(model).done()
        except WorkbenchError as error:
            _log.warning("%s could not be loaded: %s", model_id, error)
            scheduler.note_failure(model_id, error.report())
        finally:
            _note().unlink(missing_ok=True)


async def _look_for_models() -> None:
    try:
        await scan_in_thread()
    except WorkbenchError as error:
        _log.warning("models were not looked for: %s", error)


def _note() -> Path:
    return home() / "serve-loading.txt"


def _take_note() -> str | None:
    """Return the model with which the process before this one died, and forget it: it is tried again after this."""
    try:
        model_id = _note().read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    _note().unlink(missing_ok=True)
    return model_id


def _killed(model_id: str) -> ErrorReport:
    return ErrorReport(
        code="serve-failed",
        message=f"The inference process died the last time that it loaded {model_id} at its start.",
        remedy="Take it out of `serving` in settings.yaml, or load it by hand to see what happens.",
    )
