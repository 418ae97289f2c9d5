"""PEFT adapters beside a loaded base, known by their content and not by their path."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer

from peft_engine.files import sha256
from peft_engine.inference.contract import AdapterUse
from peft_engine.inference.transformers.adapter_files import CONFIG, TEMPLATE, TENSORS, not_supported, read_adapter
from peft_engine.inference.transformers.dora import settle
from peft_engine.models.damage import DamagedFile
from peft_engine.models.regular import stat_file
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError

_KEEP = 8
"""Adapters in memory at once; one of a small model takes about a tenth of its base."""


@dataclass(frozen=True)
class AdapterKey:
    """What K/V depend on beside base and tokens. Two folders with the same content are the same adapter."""

    content: str
    """A hash of the adapter's files."""

    scale: float


@dataclass(frozen=True)
class _Loaded:
    name: str
    """What PEFT knows it by."""

    template: str | None
    has_dora: bool
    has_modules: bool
    """Whether whole modules of the base are replaced."""


class Adapters:
    """Loads adapters when they are asked for and forgets those that were not used for longest."""

    def __init__(self, model: Any) -> None:
        """Start with none for a base, whose modules will be wrapped but never changed."""
        self._model = model
        self._peft: Any = None
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._hashes: dict[Path, tuple[tuple[tuple[int, int, int], ...], str]] = {}
        self._applied: tuple[AdapterKey, ...] = ()
        self._count = 0

    def keys(self, uses: Sequence[AdapterUse], *, needed: set[str]) -> tuple[AdapterKey, ...]:
        """Return the keys of adapters in use, loading them if need be. Those with a scale of 0 are left out.

        Args:
            uses: What a request asks for.
            needed: Contents that open sequences are using, which must stay.

        Raises:
            WorkbenchError: A folder is gone (`adapter-missing`), is damaged (`model-truncated`, …) or does not
                fit the base (`model-unreadable`), or cannot be computed or combined exactly (`not-supported`).
        """
        keys = tuple(AdapterKey(self._load(use.path), use.scale) for use in uses if use.scale != 0)
        self._check_together([use for use in uses if use.scale != 0], keys)
        wanted = needed | {key.content for key in keys}
        for content in [content for content in self._loaded if content not in wanted][: len(self._loaded) - _KEEP]:
            self._forget(content)
        return keys

    def chat_template(self, keys: tuple[AdapterKey, ...]) -> str | None:
        """Return the template that the first adapter with one of its own was trained with."""
        return next((text for key in keys if (text := self._loaded[key.content].template)), None)

    def apply(self, keys: tuple[AdapterKey, ...]) -> None:
        """Let the model compute with exactly these adapters from now on."""
        if keys == self._applied or self._peft is None:
            return
        tuner = self._peft.base_model
        if not keys:
            tuner.disable_adapter_layers()
        else:
            tuner.set_adapter([self._loaded[key.content].name for key in keys], inference_mode=True)
            tuner.enable_adapter_layers()
            for layer in self._layers():
                for key in keys:
                    layer.set_scale(self._loaded[key.content].name, key.scale)
        self._applied = keys

    def unload(self) -> None:
        """Free the memory."""
        self._model = self._peft = None
        self._loaded.clear()

    def _check_together(self, uses: list[AdapterUse], keys: tuple[AdapterKey, ...]) -> None:
        for use, key in zip(uses, keys, strict=True):
            loaded = self._loaded[key.content]
            if loaded.has_modules and (key.scale != 1 or len(keys) > 1):
                raise not_supported(use.path, "replaces whole modules of the base, so it has no half strength")
            if loaded.has_dora and len(keys) > 1:
                raise not_supported(use.path, "is a DoRA adapter, whose norms belong to the base alone")
        if len({key.content for key in keys}) < len(keys):
            raise not_supported(uses[0].path, "is asked for twice at once")

    def _load(self, folder: Path) -> str:
        try:
            content = self._hash(folder)
            if content not in self._loaded:
                self._add(content, folder)
        except OSError as error:
            raise WorkbenchError(
                "adapter-missing",
                f"The adapter {folder} cannot be read: {error.strerror or error}.",
                "Choose another model, or run its config again.",
            ) from error
        self._loaded.move_to_end(content)
        return content

    def _hash(self, folder: Path) -> str:
        files = [folder / CONFIG, folder / TENSORS]
        if (folder / TEMPLATE).exists():
            files.append(folder / TEMPLATE)
        stats = [stat_file(file) for file in files]
        state = tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)
        known = self._hashes.get(folder)
        if known is None or known[0] != state:
            known = self._hashes[folder] = (state, "-".join(sha256(file) for file in files))
        return known[1]

    def _add(self, content: str, folder: Path) -> None:
        require_sound(folder / TENSORS)
        # A number, not the content: PEFT searches its names in the names of modules.
        name = f"adapter{self._count}"
        self._count += 1
        try:
            files = read_adapter(folder, self._model)
            self._inject(name, files.config)
            result = set_peft_model_state_dict(self._peft, files.tensors, adapter_name=name)
            unread = [*result.unexpected_keys, *(key for key in result.missing_keys if f".{name}" in key)]
            if unread:
                raise DamagedFile(f"{unread[0]} is in one of them alone")
        except (OSError, WorkbenchError):
            self._remove(name)
            raise
        except Exception as error:  # Whatever a stranger's file makes of PEFT.
            self._remove(name)
            reason = str(error).strip().rpartition("\n")[2].strip().removesuffix(".")
            raise WorkbenchError(
                "model-unreadable",
                f"The adapter {folder} does not fit its base: {reason}.",
                "Run its config again; if its base was replaced, choose the base it was trained on.",
            ) from error
        settle(self._layers(), name)
        self._peft.requires_grad_(False)
        self._loaded[content] = _Loaded(
            name,
            files.template,
            has_dora=bool(files.config.use_dora),
            has_modules=bool(files.config.modules_to_save or files.config.trainable_token_indices),
        )

    @torch.inference_mode(mode=False)
    def _inject(self, name: str, config: LoraConfig) -> None:
        # To PEFT the one that was added last is the active one.
        self._applied = ()
        if self._peft is None:
            self._peft = PeftModel(self._model, config, adapter_name=name)
        else:
            self._peft.add_adapter(name, config)
        self._peft.eval()
        self._peft.base_model.disable_adapter_layers()

    def _forget(self, content: str) -> None:
        self._remove(self._loaded.pop(content).name)

    def _remove(self, name: str) -> None:
        """Take an adapter, or what there is of one, out of the model."""
        if self._peft is None or name not in self._peft.peft_config:
            return
        tuner = self._peft.base_model
        tuner.delete_adapter(name)
        self._applied = ()
        if self._peft.peft_config:
            # PEFT may be left with none active, and adds no other then.
            tuner.set_adapter(next(iter(self._peft.peft_config)), inference_mode=True)
            tuner.disable_adapter_layers()
        else:
            tuner.unload()
            self._peft = None

    def _layers(self) -> list[LoraLayer]:
        return [module for module in self._model.modules() if isinstance(module, LoraLayer)]
