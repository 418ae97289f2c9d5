"""One llama.cpp context: the K/V memory of one sequence, and what of it may be used again.

Two rules make an answer independent of what was computed before it, to the bit:

- K/V belong to the adapter and scale they were made under. When the key changes they are dropped.
- A matrix product over one token rounds otherwise than one over many. So K/V are used again only where a cold run would
  make them in the same way: the prompt is computed in blocks of fixed size, and whole blocks alone are kept.
"""

from itertools import takewhile
from typing import Any

from peft_engine.inference.llama.adapters import AdapterKey, Adapters
from peft_engine.inference.llama.native import complaint, forget_complaints, lib
from peft_engine.inference.llama.weights import Weights
from peft_schemas.errors import WorkbenchError

BLOCK = 64
"""Prompt tokens in one step. Larger ones are hardly faster on a processor; a cancel waits for one of them."""


class Context:
    """Computes one sequence at a time."""

    def __init__(self, weights: Weights, adapters: Adapters, *, length: int, threads: int) -> None:
        """Allocate the K/V memory.

        Args:
            weights: The base.
            adapters: Where the adapters of keys are found.
            length: Tokens of prompt and answer together.
            threads: Processor threads that compute.

        Raises:
            WorkbenchError: There is not enough memory (`out-of-memory`).
        """
        forget_complaints()
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = length
        parameters.n_batch = parameters.n_ubatch = BLOCK
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.no_perf = True
        self.handle: Any = lib.llama_init_from_model(weights.model, parameters)
        if not self.handle:
            raise WorkbenchError(
                "out-of-memory",
                f"There is no memory for a context of {length} tokens: {complaint()}.",
                "Close other programs, or serve a smaller model.",
            )
        self._memory = lib.llama_get_memory(self.handle)
        self._adapters = adapters
        self._key: AdapterKey | None = None
        self._reusable: list[int] = []

    def begin(self, prompt: list[int], key: AdapterKey | None) -> int:
        """Start a sequence under an adapter and return how many of its first tokens need not be computed."""
        if key != self._key:
            self._adapters.apply(self.handle, key)
            self._key = key
            self._reusable = []
        # The last token is always computed: its logits choose the first word of the answer.
        pairs = zip(prompt[:-1], self._reusable, strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        kept = common - common % BLOCK
        if kept == 0 or not lib.llama_memory_seq_rm(self._memory, 0, kept, -1):
            lib.llama_memory_clear(self._memory, False)
            kept = 0
        self._reusable = self._reusable[:kept]
        return kept

    def decode_block(self, tokens: list[int]) -> None:
        """Compute the next block of the prompt; a full one can be used again.

        Raises:
            WorkbenchError: The computation failed; the context is no longer usable.
        """
        self._decode(tokens)
        if len(tokens) == BLOCK:
            self._reusable += tokens

    def decode_token(self, token: int) -> None:
        """Compute one token of the answer.

        Raises:
            WorkbenchError: The computation failed; the context is no longer usable.
        """
        self._decode([token])

    def free(self) -> None:
        """Free the K/V memory."""
        lib.llama_free(self.handle)

    def _decode(self, tokens: list[int]) -> None:
        forget_complaints()
        array = (lib.llama_token * len(tokens))(*tokens)
        status = lib.llama_decode(self.handle, lib.llama_batch_get_one(array, len(tokens)))
        if status != 0:
            raise WorkbenchError(
                "internal",
                f"llama.cpp could not compute {len(tokens)} tokens (status {status}): {complaint()}.",
                "Ask again: the model is loaded anew.",
            )
