"""Who is next: clients take turns, and each client's requests are served in the order of their arrival."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

from peft_engine.inference.job import EmbeddingJob, Job

Waiting = Job | EmbeddingJob

_CLIENTS = 4
"""So many clients may fill their part of the line before the whole line is full."""


class Overloaded(Exception):
    """Too many requests wait already."""


class Line:
    """One queue for each client that waits. Not safe for threads: its owner holds a lock."""

    def __init__(self, limit: int) -> None:
        """Start empty.

        Args:
            limit: Requests of one client that may wait.
        """
        self._limit = limit
        self._clients: OrderedDict[str, deque[Waiting]] = OrderedDict()
        """The client whose turn it is comes first."""

    def __len__(self) -> int:
        return sum(len(jobs) for jobs in self._clients.values())

    def __iter__(self) -> Iterator[Waiting]:
        for jobs in self._clients.values():
            yield from jobs

    def add(self, job: Waiting) -> None:
        """Put a request at the end of its client's queue.

        Raises:
            Overloaded: The client, or all of them together, have too many there.
        """
        self.drop(lambda waiting: waiting.cancelled)
        jobs = self._clients.get(job.client, deque())
        if len(jobs) >= self._limit or len(self) >= _CLIENTS * self._limit:
            raise Overloaded
        jobs.append(job)
        self._clients[job.client] = jobs

    def take(self, admissible: Callable[[Waiting], bool]) -> Waiting | None:
        """Remove and return the first request that may begin, and send its client to the end.

        Args:
            admissible: Whether a request may begin now. One that may not, since its base is still being loaded, does
                not hold up those behind it.
        """
        for client, jobs in self._clients.items():
            for job in jobs:
                if not job.cancelled and admissible(job):
                    jobs.remove(job)
                    self._clients.move_to_end(client)
                    self._forget_empty()
                    return job
        return None

    def drop(self, unwanted: Callable[[Waiting], bool]) -> list[Waiting]:
        """Remove and return all requests that a condition holds for."""
        dropped = [job for job in self if unwanted(job)]
        for job in dropped:
            self._clients[job.client].remove(job)
        self._forget_empty()
        return dropped

    def _forget_empty(self) -> None:
        for client in [client for client, jobs in self._clients.items() if not jobs]:
            del self._clients[client]
