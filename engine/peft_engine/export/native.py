"""llama.cpp as conversions need it: its quantiser, its tokenizer, and what a model expects after each token."""

import ctypes
from pathlib import Path
from types import TracebackType
from typing import Any

import llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from peft_engine.models.refusal import NotConvertible

_F32 = 0
"""ggml's number of the type that K/V are kept in, so that they round nothing."""

_log: list[str] = []
_ERROR = 4


def _on_log(level: int, text: bytes, _: object) -> None:
    if level == _ERROR:
        _log.append(text.decode("utf-8", errors="replace").strip())
        del _log[:-8]


_callback = lib.llama_log_callback(_on_log)
"""Kept, because the library holds no reference to it."""

lib.llama_log_set(_callback, None)
lib.llama_backend_init()


def quantise(source: Path, target: Path, ftype: int, threads: int) -> None:
    """Pack a GGUF file's matrices.

    Args:
        source: A file with weights that are not packed.
        target: The file to write.
        ftype: llama.cpp's number of the mix of types.
        threads: Processor threads that compute.

    Raises:
        NotConvertible: llama.cpp refuses, by its own words.
    """
    _log.clear()
    parameters = lib.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = ftype, threads
    if lib.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters)) != 0:
        raise NotConvertible(f"llama.cpp cannot pack these weights: {_reason()}.")


class NativeModel:
    """A GGUF model in memory, for one text after the other."""

    def __init__(self, path: Path, threads: int, adapter: Path | None = None) -> None:
        """Load it.

        Args:
            path: The model.
            threads: Processor threads that compute.
            adapter: A LoRA adapter in GGUF that is applied in full.

        Raises:
            NotConvertible: llama.cpp cannot load it, by its own words.
        """
        _log.clear()
        self._context: Any = None
        self._model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
        if not self._model:
            raise NotConvertible(f"llama.cpp cannot load the result: {_reason()}.")
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._size: int = lib.llama_vocab_n_tokens(self._vocab)
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = 512
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.type_k = parameters.type_v = _F32
        self._context = lib.llama_init_from_model(self._model, parameters)
        if not self._context:
            raise NotConvertible(f"llama.cpp cannot compute with the result: {_reason()}.")
        if adapter is not None:
            handle = lib.llama_adapter_lora_init(self._model, str(adapter).encode())
            if not handle:
                raise NotConvertible(f"llama.cpp cannot load the adapter: {_reason()}.")
            handles = (lib.llama_adapter_lora_p_ctypes * 1)(handle)
            lib.llama_set_adapters_lora(self._context, handles, 1, (ctypes.c_float * 1)(1.0))

    def __enter__(self) -> "NativeModel":
        """Return the model."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Free the memory."""
        if self._context:
            lib.llama_free(self._context)
        lib.llama_model_free(self._model)

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a text in which special tokens are written out."""
        data = text.encode()
        tokens = (lib.llama_token * (len(data) + 8))()
        count = lib.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), True, True)
        return list(tokens[: max(count, 0)])

    def logits(self, tokens: list[int]) -> NDArray[np.float32]:
        """Return what is expected after each token: one row a token, one column a word of the vocabulary.

        Raises:
            NotConvertible: llama.cpp cannot compute it.
        """
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for index, token in enumerate(tokens):
                batch.token[index], batch.pos[index], batch.logits[index] = token, index, 1
                batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
            if lib.llama_decode(self._context, batch) != 0:
                raise NotConvertible(f"llama.cpp cannot compute with the result: {_reason()}.")
            rows = [
                np.ctypeslib.as_array(lib.llama_get_logits_ith(self._context, i), (self._size,)).copy()
                for i in range(len(tokens))
            ]
        finally:
            lib.llama_batch_free(batch)
        return np.stack(rows)


def _reason() -> str:
    return _log[0].rstrip(".") if _log else "it gave no reason"
