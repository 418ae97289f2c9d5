"""How many requests an address may make a minute."""

import math
import time
from collections import deque
from collections.abc import Callable

_WINDOW = 60.0
"""Seconds."""


class RateLimit:
    """A sliding window for each caller. Callers have shown the key, so there are few."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing counted.

        Args:
            per_minute: Requests in any sixty seconds.
            clock: Seconds that never go back.
        """
        self._per_minute = per_minute
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def count(self, caller: str) -> int:
        """Count a request and return 0, or do not count it and return the whole seconds until one is possible."""
        now = self._clock()
        times = self._times.setdefault(caller, deque())
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        if len(times) >= self._per_minute:
            return max(1, math.ceil(times[0] + _WINDOW - now))
        times.append(now)
        return 0
