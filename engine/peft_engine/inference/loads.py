"""What waits for a base: requests and explicit loads, each brought to its base or told why it cannot be."""

from collections.abc import Callable, Sequence

from peft_engine.inference.deaths import Deaths
from peft_engine.inference.footprint import BaseKey, base_key
from peft_engine.inference.job import Failed, Load, Loaded, Loading
from peft_engine.inference.line import Waiting
from peft_engine.inference.loader import Loader, Result
from peft_engine.inference.metrics import Metrics
from peft_engine.inference.residency import NoRoom, Place, Residency
from peft_schemas.errors import ErrorReport, WorkbenchError

Wanting = Waiting | Load
Places = dict[BaseKey, Place]


class Loads:
    """Used by the computing thread alone."""

    def __init__(
        self,
        residency: Residency,
        metrics: Metrics,
        deaths: Deaths,
        *,
        wake: Callable[[], None],
        refuse: Callable[[Waiting, ErrorReport], None],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            residency: Whose places are filled.
            metrics: Where loads are counted.
            deaths: What is not to be tried any more.
            wake: Called, from another thread, when there is progress or a result.
            refuse: Called for a request that waits and cannot have a place.
        """
        self._residency = residency
        self._metrics = metrics
        self._deaths = deaths
        self._loader = Loader(residency.load, occupation=deaths.loading, on_change=wake)
        self._refuse = refuse
        self._asked: list[Load] = []

    def __len__(self) -> int:
        return len(self._asked)

    def start(self) -> None:
        """Start the loading thread."""
        self._loader.start()

    def stop(self, reason: ErrorReport) -> None:
        """Give everything up and end the loading thread."""
        for load in self._asked:
            load.tell(Failed(reason))
        for place in self._residency.places:
            place.given_up = True
        self._loader.stop()
        for result in self._loader.results():
            self._forget(result)

    def add(self, load: Load) -> None:
        """Note that a base is wanted, whatever became of it before."""
        self._deaths.forgive(load.model)
        self._asked.append(load)

    def places_of(self, waiting: Sequence[Waiting]) -> Places:
        """Return the places of all that is wanted, tell the loads how far theirs are, and give up what nobody wants.

        Args:
            waiting: Requests that wait for their turn.
        """
        self._asked = [load for load in self._asked if not load.cancelled]
        for result in self._loader.results():
            self._take_in(result, waiting)
        for place in self._residency.places:
            place.needed_since = float("inf")
        places: Places = {}
        wanted: list[Wanting] = [*waiting, *self._asked]
        for asked in wanted:
            if asked.cancelled:
                continue
            try:
                self._deaths.require_hope(asked.model)
                place = places.get(base_key(asked.model)) or self._residency.place_for(asked.model)
            except WorkbenchError as error:
                self._fail(asked, error.report())
                continue
            place.needed_since = min(place.needed_since, asked.arrived)
            places[base_key(asked.model)] = place
        self._tell(places)
        for place in self._residency.places:
            if place.state != "ready" and place not in places.values():
                self._residency.let_go(place)
        return places

    def begin(self, waiting: Sequence[Waiting]) -> None:
        """Begin the next load if there is room for it; else see that there will be."""
        try:
            place = self._residency.next_load()
        except NoRoom as refused:
            self._fail_all(refused.place, waiting, refused.error)
            return
        if place is not None:
            self._loader.load(place)

    def unload(self, base: str, waiting: Sequence[Waiting]) -> list[Place]:
        """Let a base go and return its places that are still in use. What waits for it to be loaded fails."""
        given_up = ErrorReport(
            code="load-cancelled", message=f"The load of {base} was given up.", remedy="Ask again if it is wanted."
        )
        for place in self._residency.places:
            if place.model.base == base and place.state != "ready":
                self._fail_all(place, waiting, given_up)
        return self._residency.unload(base)

    def _tell(self, places: Places) -> None:
        for load in list(self._asked):
            place = places.get(base_key(load.model))
            if place is None:
                continue
            if place.usable:
                self._asked.remove(load)
                load.tell(Loaded())
            elif load.told != place.progress:
                load.told = place.progress
                load.tell(Loading(place.progress))

    def _take_in(self, result: Result, waiting: Sequence[Waiting]) -> None:
        place = result.place
        if place.given_up:
            self._forget(result)
            return
        try:
            if result.engine is not None:
                self._deaths.loaded(place.model.base)
                self._residency.arrived(place, result.engine)
                self._metrics.loads.add(result.seconds)
        except NoRoom as refused:
            self._fail_all(place, waiting, refused.error)
        if result.error is not None:
            self._residency.failed(place, result.error)
            self._fail_all(place, waiting, result.error)

    def _forget(self, result: Result) -> None:
        if result.engine is not None:
            result.engine.unload()
        self._residency.remove(result.place)

    def _fail_all(self, place: Place, waiting: Sequence[Waiting], error: ErrorReport) -> None:
        wanted: list[Wanting] = [*waiting, *self._asked]
        for asked in wanted:
            if base_key(asked.model) == base_key(place.model):
                self._fail(asked, error)

    def _fail(self, asked: Wanting, error: ErrorReport) -> None:
        if isinstance(asked, Load):
            self._asked.remove(asked)
            asked.tell(Failed(error))
        else:
            asked.cancelled = True
            self._refuse(asked, error)
