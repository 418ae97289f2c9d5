"""A GGUF model in memory."""

import ctypes
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from peft_engine.inference.llama.native import complaint, forget_complaints, lib
from peft_engine.inference.llama.vocabulary import Vocabulary
from peft_engine.inference.residency import OnProgress
from peft_engine.models.gguf_header import GgufHeader, read_gguf_header
from peft_engine.models.validation import gguf_parts
from peft_schemas.errors import WorkbenchError


class Weights:
    """The weights, shared by every sequence and adapter, and the vocabulary that belongs to them."""

    def __init__(self, path: Path, on_progress: OnProgress = lambda _: True) -> None:
        """Load the file; its tensors are mapped, so several processes share one copy.

        Args:
            path: The GGUF file.
            on_progress: Told the share that is loaded; answers whether to go on.

        Raises:
            WorkbenchError: llama.cpp cannot load it (`model-unreadable`), or it was given up (`load-cancelled`).
        """
        forget_complaints()
        given_up = False

        def tell(share: float, _: object) -> bool:
            nonlocal given_up
            given_up = given_up or not on_progress(share)
            return not given_up

        parameters = lib.llama_model_default_params()
        parameters.progress_callback = lib.llama_progress_callback(tell)
        self.model = lib.llama_model_load_from_file(str(path).encode(), parameters)
        if given_up:
            if self.model:
                self.unload()
            raise WorkbenchError(
                "load-cancelled", f"The load of {path.name} was given up.", "Ask again if it is wanted."
            )
        if not self.model:
            raise WorkbenchError(
                "model-unreadable",
                f"llama.cpp cannot load {path.name}: {complaint()}.",
                "Get the file again, or choose a model of a family that llama.cpp knows.",
            )
        self.path = path
        self.vocabulary = Vocabulary(self.model)
        self.hidden_size: int = lib.llama_model_n_embd_out(self.model)
        self.memory_bytes: int = lib.llama_model_size(self.model)
        self.kv_bytes_per_token = self._kv_bytes_per_token()

    @cached_property
    def header(self) -> GgufHeader:
        """What the files say, with the tensors of all of them."""
        headers = [read_gguf_header(part, tensors=True) for part in gguf_parts(self.path)]
        return replace(headers[0], tensors=tuple(tensor for header in headers for tensor in header.tensors))

    def longest(self, wanted: int) -> int:
        """Return how many tokens a sequence may have: those that are wanted, if the base knows so many positions.

        A rotation goes on; of positions that were learned one by one there is none behind the last, and llama.cpp ends
        the process that asks for it.
        """
        if lib.llama_model_rope_type(self.model) != lib.LLAMA_ROPE_TYPE_NONE:
            return wanted
        return min(wanted, int(lib.llama_model_n_ctx_train(self.model)))

    @property
    def keeps_every_token(self) -> bool:
        """Whether there are K/V for each token, and not one state for all, or K/V for the last ones alone."""
        has_one_state = lib.llama_model_is_recurrent(self.model) or lib.llama_model_is_hybrid(self.model)
        return not has_one_state and lib.llama_model_n_swa(self.model) == 0

    def unload(self) -> None:
        """Free the memory, adapters included."""
        self.vocabulary.late_guide.close()
        lib.llama_model_free(self.model)

    def _kv_bytes_per_token(self) -> int:
        """Keys and values of one token in all layers, as float16."""
        heads: int = lib.llama_model_n_head(self.model)
        kv_heads: int = lib.llama_model_n_head_kv(self.model)
        layers: int = lib.llama_model_n_layer(self.model)
        architecture = self._metadata("general.architecture") or ""
        sizes = [self._metadata(f"{architecture}.attention.{name}_length") for name in ("key", "value")]
        usual: int = lib.llama_model_n_embd(self.model) // max(heads, 1)
        return 2 * layers * kv_heads * sum(int(size or usual) for size in sizes)

    def _metadata(self, key: str) -> str | None:
        text = ctypes.create_string_buffer(64)
        length = lib.llama_model_meta_val_str(self.model, key.encode(), text, len(text))
        return text.value.decode("utf-8", errors="replace") if length >= 0 else None
