"""Loading what the user's files name, and looking for models, when the process starts.

A model that cannot be loaded does not stop the rest. One that a process died of is left out: it would kill each that is
started.
"""

import asyncio
import logging
from collections.abc import Sequence

from peft_engine.catalog import list_servable
from peft_engine.inference.scheduler import Scheduler
from peft_engine.library.scan import scan_in_thread
from peft_schemas.errors import WorkbenchError

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
    pin = [*pin, *(model.id for model in await asyncio.to_thread(list_servable) if model.pinned)]
    for model_id in dict.fromkeys([*pin, *load]):
        try:
            model = await asyncio.to_thread(scheduler.find, model_id)
            if report := scheduler.died_of(model):
                scheduler.note_failure(model_id, report)
                continue
            if model_id in pin:
                await scheduler.pin(model.base, pinned=True)
            if load and model_id == load[0]:
                await scheduler.switch(model)
            else:
                await scheduler.load(model).done()
        except WorkbenchError as error:
            _log.warning("%s could not be loaded: %s", model_id, error)
            scheduler.note_failure(model_id, error.report())


async def _look_for_models() -> None:
    try:
        await scan_in_thread()
    except WorkbenchError as error:
        _log.warning("models were not looked for: %s", error)
