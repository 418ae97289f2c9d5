"""Two threads that compute different things at the same time, each with half of torch's threads.

Threads that share an operation wait for each other at its end, thousands of times a step. While they sleep, waking them
took a third of a step of two threads, which one alone did faster; while they spin, a single other busy process had them
train at less than half of that speed. Two that compute different things wait for each other once.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

import torch

Result = TypeVar("Result")


class Threads:
    """Two threads, the caller's and one more, that share the processor."""

    def __init__(self) -> None:
        """Make the other thread."""
        self._other = ThreadPoolExecutor(max_workers=1)

    def compute(self, work: Callable[[int], Result]) -> tuple[Result, Result]:
        """Do two works at the same time, each with half of the threads; of an odd number, one rests.

        A product's last bits depend on how many threads compute it, and which of the two makes one may be chance.

        Args:
            work: Does one, given 0, in this thread, and given 1, in the other.
        """
        threads = torch.get_num_threads()
        half = max(1, threads // 2)
        other = self._other.submit(_with_threads, half, partial(work, 1))
        torch.set_num_threads(half)
        try:
            first = work(0)
        finally:
            wait([other])
            torch.set_num_threads(threads)
        return first, other.result()


def _with_threads(threads: int, work: Callable[[], Result]) -> Result:
    torch.set_num_threads(threads)
    return work()
