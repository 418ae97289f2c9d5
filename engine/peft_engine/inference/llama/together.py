"""Computing the next tokens of several answers in one batch, where that changes none of them by a bit.

Weights are read once for a batch, so a batch is faster than its rows one by one. But a library may compute a product
with one row by another routine than one with many, which rounds otherwise, and an answer would depend on its
neighbours. Whether it does so depends on the processor, the build and the types of the weights. So it is tried, with
the first rows that could share a batch: they are computed singly and together, and compared. Where they differ, such
rows are computed singly for good.

llama.cpp takes a batch apart by itself where a sequence is not the next one after that of the row before: rows of the
sequences 1, 0, 2 and 3 it computes in two pieces, which takes a third longer than one. So rows are put in the order of
their sequences, and those that follow each other make a batch. Then a trial is also of what is computed later.
"""

from collections.abc import Sequence

import numpy as np

from peft_engine.inference.llama.adapters import AdapterKey, Adapters
from peft_engine.inference.llama.context import Context, NextToken, Row

_TRIALS = 8
"""Batches of a kind that must agree. Rounding does not show in every row: activations are quantized on their way."""


class Together:
    """Knows which batches are exact."""

    def __init__(self, context: Context, adapters: Adapters) -> None:
        """Know nothing yet.

        Args:
            context: Where rows are computed.
            adapters: Know by which routines each adapter is computed.
        """
        self._context = context
        self._adapters = adapters
        self._trials: dict[tuple[frozenset[str], int], int | None] = {}
        """By routines and number of rows: trials still to be made, None where batches are not exact."""

    def compute(self, key: AdapterKey, rows: Sequence[NextToken]) -> list[Row]:
        """Compute rows under the adapters in use and return the logits of each, in one batch if that is exact.

        Args:
            key: The adapters, which `Context.use` was told already.
            rows: Of different sequences.

        Returns:
            Logits that hold until the next call of the context.

        Raises:
            WorkbenchError: The computation failed.
        """
        order = sorted(range(len(rows)), key=lambda index: rows[index].sequence)
        runs = _runs([rows[index] for index in order])
        if len(runs) == 1:
            found = self._run(key, runs[0])
        else:
            found = [row.copy() for run in runs for row in self._run(key, run)]
        by_index = dict(zip(order, found, strict=True))
        return [by_index[index] for index in range(len(rows))]

    def _run(self, key: AdapterKey, rows: Sequence[NextToken]) -> list[Row]:
        """Compute rows of sequences that follow each other."""
        if len(rows) == 1:
            self._context.compute_tokens(rows)
            return [self._context.row(0)]
        if not self._context.shares(rows):
            return self._singly(rows)
        kind = (self._adapters.routines(key), len(rows))
        trials = self._trials.setdefault(kind, _TRIALS)
        if trials == 0:
            return self._jointly(rows)
        singly = self._singly(rows)
        if trials is None or not self._drop(rows):
            self._trials[kind] = None
        elif self._agree(rows, singly):
            self._trials[kind] = trials - 1
        else:
            self._trials[kind] = None
            self._drop(rows)
            return self._singly(rows)
        return singly

    def _jointly(self, rows: Sequence[NextToken]) -> list[Row]:
        self._context.compute_tokens(rows)
        return [self._context.row(index) for index in range(len(rows))]

    def _singly(self, rows: Sequence[NextToken]) -> list[Row]:
        found = []
        for row in rows:
            self._context.compute_tokens([row])
            found.append(self._context.row(0).copy())
        return found

    def _agree(self, rows: Sequence[NextToken], singly: Sequence[Row]) -> bool:
        return all(np.array_equal(one, other) for one, other in zip(self._jointly(rows), singly, strict=True))

    def _drop(self, rows: Sequence[NextToken]) -> bool:
        """Forget the K/V of the rows again; False if this kind of model cannot."""
        dropped = [self._context.forget(row.sequence, keep=row.position) for row in rows]
        return all(dropped)


def _runs(rows: Sequence[NextToken]) -> list[list[NextToken]]:
    """Part rows, which are in the order of their sequences, where one is missing between two."""
    runs: list[list[NextToken]] = []
    for row in rows:
        if runs and row.sequence == runs[-1][-1].sequence + 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs
