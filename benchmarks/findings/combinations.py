"""Faults that are values which do not go together: what to write, what to take out, and where it must be said."""

import random
from dataclasses import dataclass

from benchmarks.findings.faults import Planted, Span
from benchmarks.findings.sheet import Path, Sheet
from benchmarks.findings.surgery import drop, put, spelt

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext


@dataclass(frozen=True)
class Combination:
    """Values that do not go together."""

    codes: str
    """Separated by spaces where two readings are sensible."""

    write: dict[str, str]
    """Values by dotted path, `|` between alternatives. The first is written last, in any spelling."""

    at: str = ""
    """Where it may be said: dotted paths, one with a colon meaning the key. Left out, at the first value written."""

    without: str = ""
    """Dotted paths that would hide the fault or bring another."""

    has_fix: bool = True
    also: str = ""
    """Codes of findings that follow from the same fault."""

    context: CheckContext = NOTHING_KNOWN

    def plant(self, text: str, dice: random.Random) -> Planted:
        """Write the combination into a text."""
        # What an unknown preset may bring cannot be known, and then nothing can be said.
        for unwanted in [*self.without.split(), "preset"]:
            text = drop(text, as_path(unwanted))
        chosen = {as_path(path): dice.choice(value.split("|")) for path, value in self.write.items()}
        first, *others = chosen
        for path in others:
            text = put(text, path, chosen[path], dice)
        text, is_anchored = spelt(text, first, chosen[first], dice)
        places = self.at.split() or [next(iter(self.write))]
        return Planted(
            text,
            frozenset(self.codes.split()),
            frozenset(place for name in places for place in _place(text, name)),
            self.has_fix and not is_anchored,
            (*chosen, *(as_path(path) for path in self.without.split())),
            self.context,
            frozenset(self.also.split()) | self._of_method(),
        )

    def _of_method(self) -> frozenset[str]:
        """Return what follows when the text's learning rate was that of another method."""
        return frozenset(
            {"PW504"} if "method.type" in self.write and "training.learning_rate" not in self.write else ()
        )


def as_path(dotted: str) -> Path:
    """Return `datasets.0.path` as its parts."""
    return tuple(int(part) if part.isdigit() else part for part in dotted.split("."))


def _place(text: str, name: str) -> list[Span]:
    sheet = Sheet(text)
    spot = sheet.find(as_path(name.rstrip(":")))
    if spot is None:
        return []
    start, end = spot.key if name.endswith(":") and spot.key else (spot.start, spot.end)
    return [sheet.span(start, end)]
