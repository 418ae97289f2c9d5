"""Computing the next tokens of several answers in one batch, where that changes none of them by a bit.

Weights are read once for a batch, so a batch is faster than its rows one by one. But a library may compute a product
with one row by another routine than one with many, which rounds otherwise, and an answer would depend on its
neighbours. Whether it does so depends on the processor, the build and the types of the weights. So it is tried, with
the first rows that could share a batch: they are computed singly and together, and compared.
"""

from collections.abc import Sequence

import numpy as np

from peft_engine.inference.llama.adapters import AdapterKey, contents
from peft_engine.inference.llama.context import Context, NextToken, Row


class Together:
    """Knows which batches are exact."""

    def __init__(self, context: Context) -> None:
        """Know nothing yet."""
        self._context = context
        self._exact: dict[tuple[tuple[str, ...], int], bool] = {}

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
        if len(rows) == 1:
            self._context.compute_tokens(rows)
            return [self._context.row(0)]
        # A scale multiplies what is computed and chooses no routine.
        kind = (contents(key), len(rows))
        if kind not in self._exact:
            singly = self._singly(rows)
            self._exact[kind] = False
            if not self._drop(rows):
                return singly
            self._exact[kind] = self._agree(rows, singly)
            if self._exact[kind]:
                return singly
            self._drop(rows)
        return self._jointly(rows) if self._exact[kind] else self._singly(rows)

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
