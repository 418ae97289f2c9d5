"""Which bases are in memory: as many as the budget holds, the one that was used last the longest.

This is the book-keeping alone. It loads nothing itself and knows no thread: its one user, the computing thread, asks
what is to be loaded next, has it loaded elsewhere, and says how that went. An adapter needs no place of its own.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from peft_engine.catalog import Servable
from peft_engine.inference.contract import Engine
from peft_engine.inference.footprint import FileState, base_key, expected_bytes, file_state
from peft_schemas.errors import ErrorReport, WorkbenchError

OnProgress = Callable[[float], bool]
"""Told the share that is loaded; answers whether to go on."""

LoadEngine = Callable[[Servable, OnProgress], Engine]

_UNLIMITED = 2**62


@dataclass(eq=False)
class Place:
    """A base that is wanted in memory, on its way there, or there."""

    model: Servable
    files: FileState
    bytes: int
    """What it takes; an estimate until it is loaded."""

    last_used: float
    state: Literal["queued", "loading", "ready"] = "queued"
    engine: Engine | None = None
    progress: float | None = None
    in_use: int = 0
    """What is being computed with it."""

    needed_since: float = math.inf
    """The arrival of the oldest request that waits for it."""

    leaving: bool = False
    """Whether it goes as soon as nothing is computed with it. Nothing new begins on it."""

    given_up: bool = False
    """Whether nobody wants it any more while it is being loaded."""

    when_gone: list[Callable[[], None]] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether an answer can begin on it."""
        return self.state == "ready" and not self.leaving

    @property
    def kept_bytes(self) -> int:
        """What of it only saves time."""
        engine = self.engine
        return engine.kept_bytes if engine is not None else 0

    @property
    def needed_bytes(self) -> int:
        """What of it there must be."""
        return self.bytes - self.kept_bytes


class Residency:
    """Gives bases their places. Used by the computing thread alone, but for what only reads."""

    def __init__(
        self,
        load: LoadEngine,
        *,
        budget: int = _UNLIMITED,
        estimate: Callable[[Servable], int] = expected_bytes,
        idle_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty.

        Args:
            load: Makes the engine for a model's base, in another thread.
            budget: Bytes that all bases may take together.
            estimate: What a base will take, before it is loaded.
            idle_seconds: A base that is not pinned is unloaded when it was not used for so long; 0 for never.
            clock: Seconds that only rise.
        """
        self.load = load
        self.budget = budget
        self.clock = clock
        self.failures: dict[str, ErrorReport] = {}
        """Why a base could not be loaded the last time that it was tried."""

        self.pinned: frozenset[str] = frozenset()
        """Bases that are never unloaded to make room or for idleness."""

        self.unloads = 0
        """Bases whose memory was freed."""

        self._estimate = estimate
        self._idle_seconds = idle_seconds
        self._places: list[Place] = []

    @property
    def places(self) -> tuple[Place, ...]:
        """All places. Any thread may look at them."""
        return tuple(self._places)

    @property
    def loaded(self) -> tuple[str, ...]:
        """The ids of the bases in memory, those that are leaving left out."""
        return tuple(place.model.base for place in self.places if place.usable)

    @property
    def used(self) -> int:
        """Bytes that are taken, or set apart for what is being loaded."""
        return sum(place.bytes for place in self.places if place.state != "queued")

    def place_for(self, model: Servable) -> Place:
        """Return the place of a model's base, as its file is now; a new one if it has none.

        Raises:
            WorkbenchError: The file is gone (`model-missing`), or the base can never fit beside those that are pinned
                (`out-of-memory`).
        """
        files = file_state(model)
        for place in self._places:
            if base_key(place.model) != base_key(model):
                continue
            if place.files == files:
                place.last_used = self.clock()
                return place
            # The files have changed since.
            self.let_go(place)
        place = Place(model, files, self._estimate(model), self.clock())
        try:
            self._require_room(place)
        except WorkbenchError as error:
            self.failures[model.base] = error.report()
            raise
        self._places.append(place)
        return place

    def engine_of(self, model: Servable) -> Engine:
        """Return a model's base as it is in memory. It does not count as used.

        Raises:
            WorkbenchError: It is not in memory (`model-not-loaded`).
        """
        for place in self._places:
            if place.usable and place.engine is not None and base_key(place.model) == base_key(model):
                return place.engine
        raise WorkbenchError(
            "model-not-loaded", f"{model.base} is not in memory.", "Load it, or ask it something, and try again."
        )

    def next_load(self) -> Place | None:
        """Return a base to be loaded now, if one is wanted, none is being loaded, and there is room; else make room.

        Raises:
            NoRoom: One is wanted that cannot fit any more; it has lost its place.
        """
        if any(place.state == "loading" for place in self._places):
            return None
        place = next((place for place in self._places if place.state == "queued"), None)
        if place is None:
            return None
        try:
            self._require_room(place)
        except WorkbenchError as error:
            self.failed(place, error.report())
            raise NoRoom(place, error.report()) from error
        if not self._make_room(place.bytes, sparing=place):
            return None
        place.state = "loading"
        return place

    def arrived(self, place: Place, engine: Engine) -> None:
        """Take in a base that has been loaded.

        Raises:
            NoRoom: It takes more than was expected, and more than there is. It is unloaded again.
        """
        place.engine, place.state, place.progress = engine, "ready", None
        place.last_used = self.clock()
        self.failures.pop(place.model.base, None)
        place.bytes = engine.memory_bytes
        try:
            self._require_room(place)
        except WorkbenchError as error:
            self.remove(place)
            self.failures[place.model.base] = error.report()
            raise NoRoom(place, error.report()) from error
        self._make_room(0, sparing=place)

    def failed(self, place: Place, error: ErrorReport) -> None:
        """Take the place of a base away that could not be loaded."""
        self.failures[place.model.base] = error
        self.remove(place)

    def begin(self, place: Place) -> None:
        """Note that something is computed with a base."""
        place.in_use += 1
        self._measure(place)

    def end(self, place: Place) -> None:
        """Note that it is complete."""
        place.in_use -= 1
        self._measure(place)
        self._sweep()

    def unload(self, base: str) -> list[Place]:
        """Let a base go, pinned or not, and return its places that are still in use."""
        self.pinned -= {base}
        self.failures.pop(base, None)
        for place in self.places:
            if place.model.base == base:
                self.let_go(place)
        return [place for place in self._places if place.model.base == base]

    def unload_idle(self) -> None:
        """Unload what was not used for long."""
        if self._idle_seconds:
            for place in self._evictable():
                if not place.in_use and self.clock() - place.last_used >= self._idle_seconds:
                    self.let_go(place)

    def next_idle(self) -> float | None:
        """Return in how many seconds `unload_idle` may have something to do; None for never."""
        idle = [place.last_used for place in self._evictable() if not place.in_use]
        return max(0.0, min(idle) + self._idle_seconds - self.clock()) if idle and self._idle_seconds else None

    def remove(self, place: Place) -> None:
        """Free a place at once, whatever state it is in."""
        self._places = [other for other in self._places if other is not place]
        engine, place.engine = place.engine, None
        if engine is not None:
            self.unloads += 1
            engine.unload()
        for call in place.when_gone:
            call()

    def clear(self) -> None:
        """Unload everything."""
        for place in self.places:
            self.remove(place)

    def let_go(self, place: Place) -> None:
        """Free a place as soon as nothing is computed or loaded there."""
        match place.state:
            case "queued":
                self.remove(place)
            case "loading":
                place.given_up = True
            case "ready":
                place.leaving = True
                self._sweep()

    def _measure(self, place: Place) -> None:
        """Note the use of a base, and what it takes by now."""
        place.last_used = self.clock()
        if place.engine is not None:
            place.bytes = place.engine.memory_bytes
            self._make_room(0, sparing=place)

    def _sweep(self) -> None:
        for place in self.places:
            if place.leaving and not place.in_use:
                self.remove(place)

    def _evictable(self) -> list[Place]:
        """Return what may be asked to go: the idle before the busy, the one that was not used for longest first."""
        free = [place for place in self._places if place.usable and place.model.base not in self.pinned]
        return sorted(free, key=lambda place: (place.in_use > 0, place.last_used))

    def _missing(self, wanted: int) -> int:
        """Return how many bytes there are too few, when those that leave are gone."""
        return self.used + wanted - self.budget - sum(place.bytes for place in self._places if place.leaving)

    def _forget_kept(self, size: int) -> None:
        """Free what only saves time, so that no base has to go for it; of what was used last, last."""
        for place in sorted(self._places, key=lambda place: place.last_used):
            if size > 0 and place.engine is not None and not place.leaving:
                before = place.bytes
                place.engine.forget_kept(size)
                place.bytes = place.engine.memory_bytes
                size -= before - place.bytes

    def _make_room(self, wanted: int, *, sparing: Place) -> bool:
        """Tell whether so many bytes are free; if not, let go what will free them once its answers are complete."""
        self._forget_kept(self._missing(wanted))
        missing = self._missing(wanted)
        for place in self._evictable():
            if missing <= 0:
                break
            # Two bases that do not fit together change places when the older requests are served, not at each request.
            if place is not sparing and place.needed_since >= sparing.needed_since:
                place.leaving = True
                missing -= place.bytes
        self._sweep()
        return self.used + wanted <= self.budget

    def _require_room(self, place: Place) -> None:
        kept = [other for other in self._places if other is not place and other.model.base in self.pinned]
        taken = sum(other.needed_bytes for other in kept if not other.leaving)
        if place.bytes + taken <= self.budget:
            return
        beside = f", of which {_gb(taken)} are taken by pinned models" if taken else ""
        raise WorkbenchError(
            "out-of-memory",
            f"{place.model.base} takes about {_gb(place.bytes)} of memory, but models may take {_gb(self.budget)} "
            f"together{beside}.",
            "Choose a smaller or more quantized model, unpin one, or raise `serving.memory` in settings.yaml.",
        )


class NoRoom(Exception):
    """A base was wanted that cannot fit."""

    def __init__(self, place: Place, error: ErrorReport) -> None:
        super().__init__(error.message)
        self.place = place
        self.error = error


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
