"""Gradients of weights whose batch is computed in two halves at the same time: one product of both, by either thread.

Each half alone would make a gradient as large as the weight, rounded by itself, to be added up. The products are half
of a backward pass, and nothing waits for them: the thread that is ahead makes them, so that both end together.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from threading import Condition

import torch

from peft_engine.training.fused.matrix import Factors, LearnedMatrix

HALF: ContextVar["Half | None"] = ContextVar("half", default=None)
"""Which half of a batch this thread computes; None for a whole one."""


class Pairs:
    """What the halves of one batch give, put together."""

    def __init__(self) -> None:
        """Begin a batch."""
        self._changed = Condition()
        self._alone: dict[LearnedMatrix, Factors] = {}
        """What one half gave and the other did not yet."""

        self._ready: deque[tuple[LearnedMatrix, list[Factors]]] = deque()
        self._given = [0, 0]
        self._open = [True, True]

    def give(self, half: int, matrix: LearnedMatrix, factors: Factors) -> None:
        """Take what a half has for a gradient, and make one that is complete if this half is ahead.

        Args:
            half: 0 or 1.
            matrix: Whose gradient it is. Each half gives for it once, when it needs the rounded weight no more.
            factors: Of the half's own gradient.
        """
        with self._changed:
            self._given[half] += 1
            other = self._alone.pop(matrix, None)
            if other is None:
                self._alone[matrix] = factors
            else:
                # In the order of the halves, whichever came first: the same to the bit each time.
                self._ready.append((matrix, [other, factors] if half else [factors, other]))
                self._changed.notify()
            ahead = self._given[half] >= self._given[1 - half]
            chosen = self._ready.popleft() if ahead and self._ready else None
        if chosen is not None:
            self._make(*chosen)

    @contextmanager
    def giving(self, half: int) -> Iterator[None]:
        """Let a half give within this context, and after it make what is ready until the other half has ended too."""
        try:
            yield
        finally:
            with self._changed:
                self._open[half] = False
                self._changed.notify()
        while (chosen := self._next(1 - half)) is not None:
            self._make(*chosen)

    def _next(self, other: int) -> tuple[LearnedMatrix, list[Factors]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or not self._open[other])
            return self._ready.popleft() if self._ready else None

    @torch.no_grad()
    def _make(self, matrix: LearnedMatrix, parts: list[Factors]) -> None:
        matrix.add_product(parts)


class Half:
    """One half of a batch, for what is computed of it."""

    def __init__(self, pairs: Pairs, half: int) -> None:
        """Name a half, 0 or 1."""
        self._pairs, self._half = pairs, half

    def give(self, matrix: LearnedMatrix, factors: Factors) -> None:
        """Give what this half has for a gradient, as `Pairs.give` takes it."""
        self._pairs.give(self._half, matrix, factors)

    def giving(self) -> AbstractContextManager[None]:
        """Give within this context only, as `Pairs.giving` has it."""
        return self._pairs.giving(self._half)

    @contextmanager
    def computed(self) -> Iterator[None]:
        """Have what this thread computes in this context be of this half."""
        token = HALF.set(self)
        try:
            yield
        finally:
            HALF.reset(token)
