"""Loading what the user's settings name, when the process starts. One that cannot be loaded does not stop the rest."""

import asyncio
import logging
from collections.abc import Sequence

from peft_engine.inference.scheduler import Scheduler
from peft_schemas.errors import WorkbenchError

_log = logging.getLogger(__name__)


async def load_configured(scheduler: Scheduler, *, load: Sequence[str], pin: Sequence[str]) -> None:
    """Load models one after the other, those that stay first. The first of `load` becomes the default.

    Args:
        scheduler: Where they are loaded; its residents say which ones could not be, and why.
        load: Ids of models.
        pin: Ids of models whose bases stay in memory.
    """
    for model_id in dict.fromkeys([*pin, *load]):
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
