"""The thread that loads bases, so that the answers of others go on meanwhile."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from peft_engine.inference.contract import Engine
from peft_engine.inference.deaths import Occupation
from peft_engine.inference.residency import LoadEngine, Place
from peft_schemas.errors import ErrorReport, WorkbenchError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """How a load went: exactly one of `engine` and `error` is set."""

    place: Place
    engine: Engine | None
    error: ErrorReport | None
    seconds: float


class Loader:
    """Loads one base at a time: two at once would wait for the same disk and be counted against the same memory."""

    def __init__(self, load: LoadEngine, *, occupation: Occupation, on_change: Callable[[], None]) -> None:
        """Prepare; `start` begins.

        Args:
            load: Makes the engine for a model's base.
            occupation: Told what is being loaded.
            on_change: Called, from the loading thread, when there is progress or a result.
        """
        self._load = load
        self._occupation = occupation
        self._on_change = on_change
        self._places: queue.SimpleQueue[Place | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="loading")

    def start(self) -> None:
        """Start waiting for bases to load."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the load that goes on, if any, and end the thread."""
        self._places.put(None)
        self._thread.join()

    def load(self, place: Place) -> None:
        """Begin a load. A place that is given up later frees what was loaded until then."""
        self._places.put(place)

    def results(self) -> list[Result]:
        """Return the loads that ended since the last call."""
        return [self._results.get() for _ in range(self._results.qsize())]

    def _run(self) -> None:
        while (place := self._places.get()) is not None:
            began = time.monotonic()
            self._occupation.with_models((place.model.base,))
            engine, error = self._try(place)
            self._occupation.with_models(())
            self._results.put(Result(place, engine, error, time.monotonic() - began))
            self._on_change()

    def _try(self, place: Place) -> tuple[Engine | None, ErrorReport | None]:
        def on_progress(share: float) -> bool:
            place.progress = share
            self._on_change()
            return not place.given_up

        try:
            return self._load(place.model, on_progress), None
        except WorkbenchError as error:
            return None, error.report()
        except MemoryError:
            return None, ErrorReport(
                code="out-of-memory",
                message=f"Memory ran out while {place.model.base} was loaded.",
                remedy="Close other programs, or choose a smaller model.",
            )
        except Exception:
            _log.exception("%s could not be loaded", place.model.base)
            return None, ErrorReport(
                code="internal",
                message=f"{place.model.base} could not be loaded.",
                remedy="Ask again, or choose another model. The reason is in the log of the inference process.",
            )
