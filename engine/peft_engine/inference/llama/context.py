"""A llama.cpp context: K/V memory of its own for each sequence, and the batches that are computed into it.

Each sequence has its own stream of K/V (`kv_unified` is off). In a memory that they share, the order of a sequence's
entries depends on its neighbours, and with it the rounding of its attention; with streams of their own it does not.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from peft_engine.inference.llama.adapters import AdapterKey, Adapters
from peft_engine.inference.llama.blocks import BLOCK
from peft_engine.inference.llama.native import complaint, forget_complaints, lib, unheard
from peft_engine.inference.llama.weights import Weights
from peft_schemas.errors import WorkbenchError

_SPLIT = 256
"""From this position on, flash attention splits the work of a row that is alone in its batch among the threads, which
rounds otherwise than that of several rows, where each is one thread's. llama.cpp counts K/V in steps of 256."""

Row = npt.NDArray[np.float32]

State = npt.NDArray[np.uint8]
"""The K/V of a sequence, as llama.cpp writes them."""


@dataclass(frozen=True)
class NextToken:
    """A token to be computed at the end of a sequence."""

    sequence: int
    position: int
    token: int


class Context:
    """Computes batches. A fault leaves it unusable."""

    def __init__(
        self, weights: Weights, adapters: Adapters, *, length: int, sequences: int, threads: int, embeds: bool = False
    ) -> None:
        """Allocate the K/V memory.

        Args:
            weights: The base.
            adapters: Where the adapters of keys are found.
            length: Tokens that each sequence may have.
            sequences: How many there are.
            threads: Processor threads that compute.
            embeds: Whether hidden states are wanted and not logits.

        Raises:
            WorkbenchError: There is not enough memory (`out-of-memory`).
        """
        forget_complaints()
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = length * sequences
        parameters.n_seq_max = sequences
        parameters.kv_unified = False
        parameters.n_batch = parameters.n_ubatch = max(BLOCK, sequences)
        parameters.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_AUTO
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.embeddings = embeds
        parameters.no_perf = True
        self._handle: Any = lib.llama_init_from_model(weights.model, parameters)
        if not self._handle:
            raise WorkbenchError(
                "out-of-memory",
                f"There is no memory for {sequences} contexts of {length:,} tokens: {complaint()}.",
                "Close other programs, or serve a smaller model.",
            )
        self.memory_bytes = weights.kv_bytes_per_token * lib.llama_n_ctx(self._handle)
        self._memory = lib.llama_get_memory(self._handle)
        self._width = (weights.hidden_size if embeds else weights.vocabulary.size,)
        self._read = lib.llama_get_embeddings_ith if embeds else lib.llama_get_logits_ith
        self.moves_states = weights.keeps_every_token
        """Whether the K/V of a sequence can be taken out and put back."""
        self._adapters = adapters
        self.key: AdapterKey = ()
        """The adapters that are computed under."""
        self._planned = True
        """Whether the library has planned its work under them, which it says hundreds of things of."""
        self._threads = threads
        # Made once: filling a batch costs a few microseconds, making one about a hundred.
        self._batch = lib.llama_batch_init(max(BLOCK, sequences), 0, 1)
        for index in range(max(BLOCK, sequences)):
            self._batch.n_seq_id[index] = 1

    def use(self, key: AdapterKey) -> None:
        """Compute under exactly these adapters from now on."""
        if key != self.key:
            self._adapters.apply(self._handle, key)
            self.key = key
            self._planned = False

    def compute_block(self, sequence: int, position: int, tokens: Sequence[int], *, every_row: bool = False) -> None:
        """Compute the next tokens of one prompt.

        Args:
            sequence: Whose they are.
            position: Of the first of them.
            tokens: At most `BLOCK`.
            every_row: Whether a row of results is kept for each of them, and not for the last alone.

        Raises:
            WorkbenchError: The computation failed.
        """
        batch = self._batch
        for index, token in enumerate(tokens):
            batch.token[index] = token
            batch.pos[index] = position + index
            batch.seq_id[index][0] = sequence
            batch.logits[index] = every_row
        batch.logits[len(tokens) - 1] = True
        self._decode(len(tokens))

    def compute_tokens(self, rows: Sequence[NextToken]) -> None:
        """Compute one token of each of several answers, whose sequences follow each other.

        Raises:
            WorkbenchError: The computation failed.
        """
        batch = self._batch
        for index, row in enumerate(rows):
            batch.token[index] = row.token
            batch.pos[index] = row.position
            batch.seq_id[index][0] = row.sequence
            batch.logits[index] = True
        self._decode(len(rows))

    def shares(self, rows: Sequence[NextToken]) -> bool:
        """Tell whether attention computes each of the rows beside the others as it does alone."""
        return self._threads == 1 or all(row.position < _SPLIT for row in rows)

    def row(self, index: int) -> Row:
        """Return the logits, or the hidden state, of a token of the last batch; -1 is the last.

        It is a view of memory that the next batch overwrites.
        """
        return np.ctypeslib.as_array(self._read(self._handle, index), self._width)

    def forget(self, sequence: int, *, keep: int) -> bool:
        """Drop the K/V of a sequence behind its first tokens; False if this kind of model can only forget all."""
        return bool(lib.llama_memory_seq_rm(self._memory, sequence, keep, -1))

    def copy(self, source: int, target: int) -> bool:
        """Give a sequence the K/V of another one in place of its own; False if it has none now."""
        if self.moves_states:
            # llama.cpp's own copy is of the whole memory that a sequence may take, however little of it is used, and it
            # is made by the next computation, which plans anew for it.
            state = self.save(source)
            return state is not None and self.restore(target, state)
        lib.llama_memory_seq_rm(self._memory, target, 0, -1)
        lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        return True

    def state_bytes(self, sequence: int) -> int:
        """Return what `save` would take."""
        return int(lib.llama_state_seq_get_size(self._handle, sequence))

    def save(self, sequence: int) -> State | None:
        """Return a copy of a sequence's K/V, None where there is no memory for it."""
        try:
            state = np.empty(self.state_bytes(sequence), np.uint8)
        except MemoryError:
            return None
        written = lib.llama_state_seq_get_data(self._handle, _bytes_of(state), state.nbytes, sequence)
        return state if written == state.nbytes else None

    def restore(self, sequence: int, state: State) -> bool:
        """Put saved K/V in place of a sequence's own; False if it has none now."""
        lib.llama_memory_seq_rm(self._memory, sequence, 0, -1)
        return bool(lib.llama_state_seq_set_data(self._handle, _bytes_of(state), state.nbytes, sequence))

    def free(self) -> None:
        """Free the K/V memory."""
        lib.llama_batch_free(self._batch)
        lib.llama_free(self._handle)

    def _decode(self, count: int) -> None:
        forget_complaints()
        self._batch.n_tokens = count
        if self._planned:
            status = lib.llama_decode(self._handle, self._batch)
        else:
            with unheard():
                status = lib.llama_decode(self._handle, self._batch)
            self._planned = True
        if status != 0:
            raise WorkbenchError(
                "internal",
                f"llama.cpp could not compute {count} tokens (status {status}): {complaint()}.",
                "Ask again: the model is loaded anew.",
            )


def _bytes_of(state: State) -> Any:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
