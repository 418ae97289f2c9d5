"""Which bases are in memory, against a model of it: whatever is asked, in whatever order."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from peft_engine.catalog import Servable
from peft_engine.inference.residency import NoRoom, Place, Residency
from peft_schemas.errors import ErrorReport, WorkbenchError
from tests.property.strategies import examples
from tests.unit.inference.echoes import EchoEngine, servable

BUDGET = 100
BASES = {"a": 10, "b": 30, "c": 40, "d": 60, "e": 90, "f": 120}
"""What each base takes."""


class Clock:
    """Time that passes when the machine says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Use:
    """Something that is computed."""

    place: Place
    engine: EchoEngine


class Memory(RuleBasedStateMachine):
    """Asks for bases, loads them, computes with them, pins them and lets time pass."""

    folder: ClassVar[Path]

    @initialize(idle=st.sampled_from([0, 50]))
    def start(self, idle: float) -> None:
        self.clock = Clock()
        self.residency = Residency(
            lambda *_: pytest.fail("the test loads"),  # type: ignore[arg-type]
            budget=BUDGET,
            estimate=lambda model: model.size_bytes,
            idle_seconds=idle,
            clock=self.clock,
        )
        self.idle = idle
        self.uses: list[Use] = []
        self.loading: Place | None = None
        self.engines: list[EchoEngine] = []

    def model(self, base: str) -> Servable:
        return servable(self.folder / base, size=BASES[base])

    def pinned_bytes(self) -> int:
        return sum(
            place.needed_bytes
            for place in self.residency.places
            if place.model.base in self.residency.pinned and not place.leaving
        )

    def kept_bytes(self) -> int:
        """What only saves time, where it could still be of use."""
        return sum(place.engine.kept_bytes for place in self.residency.places if place.engine and not place.leaving)

    @rule(base=st.sampled_from(sorted(BASES)), seconds=st.integers(1, 20))
    def ask(self, base: str, seconds: int) -> None:
        self.clock.now += seconds
        known = {place.model.base for place in self.residency.places}
        free = BUDGET - self.pinned_bytes()
        try:
            place = self.residency.place_for(self.model(base))
        except WorkbenchError as error:
            assert error.code == "out-of-memory"
            assert base not in known
            assert BASES[base] > free
        else:
            assert place.model.base == base
            assert base in known or BASES[base] <= free

    @rule()
    def begin_load(self) -> None:
        before = {place: (place.in_use, place.last_used) for place in self.residency.places if place.usable}
        try:
            place = self.residency.next_load()
        except NoRoom as refused:
            assert refused.place not in self.residency.places
            return
        gone = [place for place in before if not place.usable]
        kept = [place for place in before if place.usable and place.model.base not in self.residency.pinned]
        assert all(other.model.base not in self.residency.pinned for other in gone)
        for left in gone:
            for stayed in kept:
                assert (before[left][0] > 0, before[left][1]) <= (before[stayed][0] > 0, before[stayed][1])
        if place is not None:
            assert self.loading is None
            self.loading = place

    @precondition(lambda self: self.loading is not None)
    @rule(outcome=st.sampled_from(["fits", "grew", "fails"]))
    def end_load(self, outcome: str) -> None:
        place, self.loading = self.loading, None
        assert place is not None
        if place.given_up:
            self.residency.remove(place)
        elif outcome == "fails":
            self.residency.failed(place, ErrorReport(code="internal", message="", remedy=""))
            assert place not in self.residency.places
        else:
            engine = EchoEngine(memory_bytes=place.bytes + (5 if outcome == "grew" else 0))
            self.engines.append(engine)
            try:
                self.residency.arrived(place, engine)
            except NoRoom:
                assert engine.unloaded
                assert engine.memory_bytes + self.pinned_bytes() > BUDGET

    @rule(base=st.sampled_from("abcd"), use=st.booleans())
    def bring(self, base: str, use: bool) -> None:
        """Ask for a base and load it, if that can be done at once, and perhaps use it."""
        self.ask(base, 1)
        self.begin_load()
        if self.loading is not None:
            self.end_load("fits")
        place = next((place for place in self.residency.places if place.model.base == base and place.usable), None)
        if use and place is not None:
            self.residency.begin(place)
            self.clock.now += 1
            self.residency.end(place)

    @precondition(lambda self: any(place.usable for place in self.residency.places))
    @rule(data=st.data(), seconds=st.integers(1, 20), kept=st.integers(0, 40))
    def begin(self, data: st.DataObject, seconds: int, kept: int) -> None:
        """Compute with a base, whose engine keeps something more to save time."""
        usable = [place for place in self.residency.places if place.usable]
        place = data.draw(st.sampled_from(usable))
        self.clock.now += seconds
        assert isinstance(place.engine, EchoEngine)
        place.engine.keep(kept)
        self.uses.append(Use(place, place.engine))
        self.residency.begin(place)
        if not all(place.usable for place in usable):
            assert self.kept_bytes() == 0

    @precondition(lambda self: self.uses)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        use = data.draw(st.sampled_from(self.uses))
        self.uses.remove(use)
        self.residency.end(use.place)

    @rule(base=st.sampled_from(sorted(BASES)), pinned=st.booleans())
    def pin(self, base: str, pinned: bool) -> None:
        others = self.residency.pinned - {base}
        self.residency.pinned = others | {base} if pinned else others

    @rule(base=st.sampled_from(sorted(BASES)))
    def unload(self, base: str) -> None:
        left = self.residency.unload(base)
        busy = [use.place for use in self.uses if use.place.model.base == base]
        assert set(left) >= set(busy)
        assert base not in self.residency.loaded

    @rule(seconds=st.integers(1, 100))
    def pass_time(self, seconds: int) -> None:
        self.clock.now += seconds
        before = self.residency.places
        self.residency.unload_idle()
        for place in before:
            idle = self.clock.now - place.last_used >= self.idle > 0
            if place not in self.residency.places:
                assert idle
                assert place.model.base not in self.residency.pinned
            else:
                assert not (idle and place.usable and not place.in_use) or place.model.base in self.residency.pinned

    @invariant()
    def what_is_computed_with_is_in_memory(self) -> None:
        assert not any(use.engine.unloaded for use in getattr(self, "uses", []))

    @invariant()
    def no_engine_is_lost(self) -> None:
        if hasattr(self, "residency"):
            held = {id(place.engine) for place in self.residency.places}
            assert all(engine.unloaded or id(engine) in held for engine in self.engines)

    @invariant()
    def the_budget_holds(self) -> None:
        """An engine that takes more than was expected may pass it, until what it displaces is free."""
        if hasattr(self, "residency"):
            grown = sum(place.bytes - BASES[place.model.base] for place in self.residency.places if place.engine)
            assert self.residency.used - grown <= BUDGET
            staying = sum(
                place.bytes for place in self.residency.places if place.state != "queued" and not place.leaving
            )
            pinned = {place.model.base for place in self.residency.places} & self.residency.pinned
            assert staying <= BUDGET or (pinned and self.kept_bytes() == 0)


def test_I12_memory_stays_within_the_budget_and_what_is_in_use_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Memory, "folder", tmp_path, raising=False)
    machine = Memory.TestCase
    machine.settings = examples(60)
    machine().runTest()
