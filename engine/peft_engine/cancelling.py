"""Giving up work that takes long, between two of its pieces."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Cancelled(Exception):
    """The caller no longer wants the result; nothing is left of the work."""


def while_wanted(pieces: Iterable[T], cancelled: Callable[[], bool]) -> Iterator[T]:
    """Yield pieces of work for as long as somebody wants what comes of them.

    Raises:
        Cancelled: `cancelled` said so.
    """
    for piece in pieces:
        if cancelled():
            raise Cancelled
        yield piece
