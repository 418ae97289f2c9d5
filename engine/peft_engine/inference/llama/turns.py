"""Answers under unlike adapters cannot share a batch, so they take turns.

A change of adapters makes llama.cpp plan its work anew, which takes some milliseconds whatever the base. A small base
computes a token in little more. So answers under one set of adapters are computed for a while before the next ones; a
base that needs longer than that for a token changes after each.
"""

import time
from collections.abc import Callable, Sequence
from itertools import count

from peft_engine.inference.llama.adapters import AdapterKey

_SECONDS = 0.1
"""Of a turn, of which the change takes a twentieth. Four sets of adapters write some words each, two or three times a
second."""


class Turns:
    """Says which adapters are computed under."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nobody's turn."""
        self._clock = clock
        self._current: AdapterKey | None = None
        self._ends = 0.0
        self._count = count()
        self._since: dict[AdapterKey, int] = {}
        """The order in which they came, or had their last turn."""

    def next(self, waiting: Sequence[AdapterKey]) -> AdapterKey:
        """Return what is computed under now: when a turn ends, that which has waited longest is next.

        Args:
            waiting: The adapters of every answer that goes on, at least one.
        """
        now = self._clock()
        self._since = {key: self._since[key] if key in self._since else next(self._count) for key in waiting}
        others = [key for key in self._since if key != self._current]
        if self._current not in self._since or (others and now >= self._ends):
            self._current = min(others, key=self._since.__getitem__)
            self._since[self._current], self._ends = next(self._count), now + _SECONDS
        return self._current
