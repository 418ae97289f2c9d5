"""Tokenised examples held end to end in a few arrays, and the rows of a run as references into them.

A million short examples as Python objects would take tens of gigabytes; so they take five bytes a token.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from peft_engine.training.data.batch import Row
from peft_engine.training.data.tokens import TokenisedExample


@dataclass(frozen=True, eq=False)
class TokenTable:
    """Examples by their number. One in which nothing is left to learn has no token."""

    ids: NDArray[np.uint32]
    """[tokens] Token ids."""

    trained: NDArray[np.bool_]
    """[tokens] Which of them are learned."""

    starts: NDArray[np.int64]
    """[examples + 1] Where each example starts, and the last ends."""

    cut: NDArray[np.bool_]
    """[examples] Which of them lost their end to the length limit."""

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> TokenisedExample:
        """Return an example without copying it."""
        start, end = self.starts[number], self.starts[number + 1]
        return TokenisedExample(self.ids[start:end], self.trained[start:end], bool(self.cut[number]))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[examples] Tokens of each."""
        return np.diff(self.starts)

    @classmethod
    def of(cls, examples: Iterable[TokenisedExample | None]) -> "TokenTable":
        """Lay out examples in the order in which they come; None is one in which nothing is left to learn."""
        ids, trained, starts, cut = array("I"), bytearray(), array("q", [0]), bytearray()
        for example in examples:
            if example is not None:
                ids.frombytes(np.asarray(example.ids, np.uint32).tobytes())
                trained += np.asarray(example.trained, np.bool_).tobytes()
            starts.append(len(ids))
            cut.append(example is not None and example.is_cut)
        return cls(
            np.frombuffer(ids, np.uint32),
            np.frombuffer(trained, np.bool_),
            np.frombuffer(starts, np.int64),
            np.frombuffer(cut, np.bool_),
        )

    @classmethod
    def joined(cls, tables: Sequence["TokenTable"]) -> "TokenTable":
        """Return one table with the examples of several, in their order."""
        if len(tables) == 1:
            return tables[0]
        ends = np.cumsum([0, *(length for table in tables for length in table.lengths)])
        return cls(
            _joined([table.ids for table in tables], np.uint32),
            _joined([table.trained for table in tables], np.bool_),
            ends.astype(np.int64),
            _joined([table.cut for table in tables], np.bool_),
        )


class Rows(Sequence[Row]):
    """What a run goes through, row by row, made when it is asked for."""

    def __init__(self, table: TokenTable, rows: Iterable[Sequence[int]]) -> None:
        """Remember which examples share a row.

        Args:
            table: The examples.
            rows: For each row the numbers of its examples.
        """
        members, starts = array("q"), array("q", [0])
        for row in rows:
            members.extend(row)
            starts.append(len(members))
        self._table, self._members, self._starts = table, members, starts

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._starts) - 1

    @overload
    def __getitem__(self, number: int) -> Row: ...

    @overload
    def __getitem__(self, number: slice) -> list[Row]: ...

    def __getitem__(self, number: int | slice) -> Row | list[Row]:
        """Return a row, or those of a slice."""
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        at = number + len(self) if number < 0 else number
        if not 0 <= at < len(self):
            raise IndexError(number)
        return tuple(self._table[i] for i in self._members[self._starts[at] : self._starts[at + 1]])

    def __iter__(self) -> Iterator[Row]:
        """Go through all rows in order."""
        return (self[number] for number in range(len(self)))


def _joined(parts: Sequence[NDArray[Any]], kind: type[Any]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)
