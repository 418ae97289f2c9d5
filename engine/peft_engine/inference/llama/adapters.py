"""LoRA adapters beside a loaded base, known by their content and not by their path."""

import ctypes
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from peft_engine.files import sha256
from peft_engine.inference.contract import AdapterUse
from peft_engine.inference.llama.native import complaint, forget_complaints, lib
from peft_engine.inference.llama.numbers import require_numbers
from peft_engine.inference.llama.odd_rank import write_with_odd_rank
from peft_engine.inference.llama.weights import Weights
from peft_engine.models.damage import DamagedFile
from peft_engine.models.gguf_adapter import check_gguf_adapter
from peft_engine.models.regular import stat_file
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError

AdapterKey = tuple[tuple[str, float], ...]
"""What K/V depend on beside base and tokens: the SHA-256 of each adapter in use and its scale, in the order of the
former. Files with the same content are the same adapter. Empty for the bare base."""


def contents(key: AdapterKey) -> tuple[str, ...]:
    """Return the adapters of a key without their scales."""
    return tuple(content for content, _ in key)


@dataclass(frozen=True)
class _Loaded:
    handle: Any
    size: int
    routine: str
    """What is equal for adapters that are computed by the same routines."""

    template: str | None


class Adapters:
    """Loads adapters when they are asked for and forgets those that were not used for longest."""

    def __init__(self, weights: Weights, *, budget: int) -> None:
        """Start with none for a base.

        Args:
            weights: The base.
            budget: Bytes that adapters may take together, as their files count them. Those in use are always kept.
        """
        self._weights = weights
        self._budget = budget
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._hashes: dict[Path, tuple[tuple[int, int, int], str]] = {}

    @property
    def memory_bytes(self) -> int:
        """What the adapters in memory take."""
        return sum(loaded.size for loaded in self._loaded.values())

    def key(self, uses: Sequence[AdapterUse]) -> AdapterKey:
        """Return the key of adapters applied together. Files are read again only when they changed.

        Raises:
            WorkbenchError: A file is gone (`adapter-missing`) or does not fit the base (`model-unreadable`); or its
                header lies (as `require_sound`).
        """
        scales: dict[str, float] = {}
        for use in uses:
            if use.scale == 0:
                continue
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
            scales[content] = scales.get(content, 0.0) + use.scale
        return tuple(sorted((content, scale) for content, scale in scales.items() if scale != 0))

    def chat_template(self, key: AdapterKey) -> str | None:
        """Return the template that the first of the adapters with one was trained with; None if all use the base's."""
        return next((text for content in contents(key) if (text := self._loaded[content].template)), None)

    def routines(self, key: AdapterKey) -> frozenset[str]:
        """Return what is equal for keys whose rows are computed by the same routines."""
        return frozenset(self._loaded[content].routine for content in contents(key))

    def apply(self, context: Any, key: AdapterKey) -> None:
        """Let a context compute with exactly these adapters from now on."""
        handles = (lib.llama_adapter_lora_p_ctypes * len(key))(*(self._loaded[content].handle for content, _ in key))
        scales = (ctypes.c_float * len(key))(*(scale for _, scale in key))
        lib.llama_set_adapters_lora(context, handles, len(key), scales)

    def forget_unused(self, in_use: set[str]) -> None:
        """Free the adapters that were not used for longest, until the budget holds.

        Args:
            in_use: Contents that open answers need, or that a context still has.
        """
        excess = self.memory_bytes - self._budget
        for content in [content for content in self._loaded if content not in in_use]:
            if excess <= 0:
                return
            freed = self._loaded.pop(content)
            lib.llama_adapter_lora_free(freed.handle)
            excess -= freed.size

    def _hash(self, path: Path) -> str:
        stat = stat_file(path)
        state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        known = self._hashes.get(path)
        if known is None or known[0] != state:
            known = self._hashes[path] = (state, sha256(path))
        return known[1]

    def _load(self, content: str, path: Path) -> None:
        require_sound(path)
        try:
            header = check_gguf_adapter(path, self._weights.header)
            require_numbers(path)
        except DamagedFile as error:
            raise _misfit(path, str(error)) from error
        forget_complaints()
        with TemporaryDirectory(prefix="peftw-adapter-") as folder:
            rewritten = Path(folder) / "adapter.gguf"
            is_rewritten = write_with_odd_rank(path, rewritten)
            handle = lib.llama_adapter_lora_init(self._weights.model, str(rewritten if is_rewritten else path).encode())
        if not handle:
            raise _misfit(path, complaint())
        routine = "rewritten" if is_rewritten else content
        self._loaded[content] = _Loaded(handle, path.stat().st_size, routine, header.chat_template)


def _misfit(path: Path, why: str) -> WorkbenchError:
    return WorkbenchError(
        "model-unreadable",
        f"The adapter {path} does not fit its base: {why}.",
        "Run its config again; if its base was replaced, choose the base it was trained on.",
    )
