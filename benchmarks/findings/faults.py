"""What a planted fault is, and the registry of kinds of faults."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.findings.sheet import Path

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext

Span = tuple[int, int, int, int]
"""Start line and character, end line and character, as LSP counts."""


@dataclass(frozen=True)
class Planted:
    """A text with one fault, and what must be found in it."""

    text: str
    codes: frozenset[str]
    """More than one where two readings of the fault are sensible."""

    places: frozenset[Span]
    """Where it may be said; empty where no place is more right than another."""

    has_fix: bool
    touched: tuple[Path, ...] = ()
    """What was written to plant it: the rest must come through a fix unchanged."""

    context: CheckContext = NOTHING_KNOWN
    consequences: frozenset[str] = frozenset()
    """Findings of other rules that the same fault may bring about."""


Planter = Callable[[str, random.Random], Planted]
"""Plants a fault into a good text, or raises `CannotPlantError`."""

_planters: dict[str, Planter] = {}


def planter(kind: str) -> Callable[[Planter], Planter]:
    """Register a kind of fault."""

    def register(plant: Planter) -> Planter:
        if kind in _planters:
            raise ValueError(f"{kind} is planted twice")
        _planters[kind] = plant
        return plant

    return register


def planters() -> dict[str, Planter]:
    """Return every kind of fault. `benchmarks.findings.kinds` imports them all."""
    return dict(_planters)
