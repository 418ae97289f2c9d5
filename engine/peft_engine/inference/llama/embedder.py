"""Texts as points: the mean of a base's last hidden states."""

from collections.abc import Sequence

import numpy as np

from peft_engine.inference.contract import Embedding
from peft_engine.inference.llama.adapters import AdapterKey, Adapters
from peft_engine.inference.llama.blocks import BLOCK
from peft_engine.inference.llama.context import Context
from peft_engine.inference.llama.weights import Weights


class Embedder:
    """Computes embeddings in a context of its own, so that open answers are not disturbed."""

    def __init__(self, weights: Weights, adapters: Adapters, *, length: int, threads: int) -> None:
        """Prepare; the context is made when it is first needed.

        Args:
            weights: The base.
            adapters: Where the adapters of keys are found.
            length: The most tokens of a text.
            threads: Processor threads that compute.
        """
        self._weights = weights
        self._adapters = adapters
        self._length = length
        self._threads = threads
        self._context: Context | None = None

    @property
    def key(self) -> AdapterKey:
        """The adapters that its context still has."""
        return () if self._context is None else self._context.key

    @property
    def memory_bytes(self) -> int:
        """What the context takes."""
        return 0 if self._context is None else self._context.memory_bytes

    def embed(self, tokens: Sequence[int], key: AdapterKey) -> Embedding:
        """Return the mean of the hidden states after the last layer's norm, scaled to length 1.

        The context pools only within a batch, so the mean is taken here, over blocks of one text.

        Args:
            tokens: At least one.
            key: The adapters to compute under.

        Raises:
            WorkbenchError: The computation failed, or memory is short (`out-of-memory`).
        """
        if self._context is None:
            self._context = Context(
                self._weights, self._adapters, length=self._length, sequences=1, threads=self._threads, embeds=True
            )
        context = self._context
        context.use(key)
        context.forget(0, keep=0)
        total = np.zeros(self._weights.hidden_size)
        for start in range(0, len(tokens), BLOCK):
            block = tokens[start : start + BLOCK]
            context.compute_block(0, start, block, every_row=True)
            for index in range(len(block)):
                total += context.row(index)
        vector: list[float] = (total / np.linalg.norm(total)).tolist()
        return Embedding(vector, len(tokens))

    def free(self) -> None:
        """Free the context's memory."""
        if self._context is not None:
            self._context.free()
            self._context = None
