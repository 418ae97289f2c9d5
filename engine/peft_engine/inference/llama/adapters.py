"""LoRA adapters beside a loaded base, known by their content and not by their path."""

import ctypes
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft_engine.files import sha256
from peft_engine.inference.contract import AdapterUse
from peft_engine.inference.llama.native import complaint, forget_complaints, lib
from peft_engine.inference.llama.weights import Weights
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError

_TEMPLATE = b"tokenizer.chat_template"
_TEMPLATE_BYTES = 1 << 16

_KEEP = 8
"""Adapters in memory at once; one of a small model takes about a tenth of its base."""


@dataclass(frozen=True)
class AdapterKey:
    """What K/V depend on beside base and tokens. Two files with the same content are the same adapter."""

    content: str
    """The file's SHA-256."""

    scale: float


class Adapters:
    """Loads adapters when they are asked for and forgets those that were not used for longest."""

    def __init__(self, weights: Weights) -> None:
        """Start with none for a base."""
        self._weights = weights
        self._loaded: OrderedDict[str, Any] = OrderedDict()
        self._hashes: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def key(self, use: AdapterUse | None) -> AdapterKey | None:
        """Return the key of an adapter in use, loading it if need be; None for the bare base.

        Raises:
            WorkbenchError: The file is gone (`adapter-missing`) or does not fit the base (`model-unreadable`); or its
                header lies (as `require_sound`).
        """
        if use is None:
            return None
        try:
            content = self._hash(use.path)
        except OSError as error:
            raise WorkbenchError(
                "adapter-missing",
                f"The adapter {use.path} cannot be read: {error.strerror}.",
                "Choose another model, or run its config again.",
            ) from error
        if content not in self._loaded:
            self._load(content, use.path)
        self._loaded.move_to_end(content)
        return AdapterKey(content, use.scale)

    def chat_template(self, key: AdapterKey | None) -> str | None:
        """Return the template that an adapter was trained with; None when it is the base's own."""
        if key is None:
            return None
        text = ctypes.create_string_buffer(_TEMPLATE_BYTES)
        length = lib.llama_adapter_meta_val_str(self._loaded[key.content], _TEMPLATE, text, _TEMPLATE_BYTES)
        return text.value.decode("utf-8", errors="replace") if length > 0 else None

    def apply(self, context: Any, key: AdapterKey | None) -> None:
        """Let a context compute with exactly this adapter from now on."""
        if key is None:
            lib.llama_set_adapters_lora(context, None, 0, None)
        else:
            handles = (lib.llama_adapter_lora_p_ctypes * 1)(self._loaded[key.content])
            lib.llama_set_adapters_lora(context, handles, 1, (ctypes.c_float * 1)(key.scale))
        self._forget_oldest(in_use=key)

    def _hash(self, path: Path) -> str:
        stat = path.stat()
        state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        known = self._hashes.get(path)
        if known is None or known[0] != state:
            known = self._hashes[path] = (state, sha256(path))
        return known[1]

    def _load(self, content: str, path: Path) -> None:
        require_sound(path)
        forget_complaints()
        handle = lib.llama_adapter_lora_init(self._weights.model, str(path).encode())
        if not handle:
            raise WorkbenchError(
                "model-unreadable",
                f"The adapter {path} does not fit its base: {complaint()}.",
                "Run its config again; if its base was replaced, choose the base it was trained on.",
            )
        self._loaded[content] = handle

    def _forget_oldest(self, in_use: AdapterKey | None) -> None:
        while len(self._loaded) > _KEEP:
            oldest = next(content for content in self._loaded if in_use is None or content != in_use.content)
            lib.llama_adapter_lora_free(self._loaded.pop(oldest))
