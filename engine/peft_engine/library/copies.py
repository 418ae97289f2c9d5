"""Which models have the same weights in other files, as two tools that fetched one model leave them.

Files of one size are compared at places that are spread over all of them: a model that was trained further differs in
nearly every tensor, so reading it whole, for minutes, would tell no more.
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from peft_engine.library.facts import gguf_parts
from peft_engine.models.formats import detect
from peft_schemas.library import ModelEntry

_PIECE = 4096
"""Bytes that are read at one place."""

_FIRST_LOOK, _SECOND_LOOK = 16, 1024
"""Places in a model. The first look tells nearly all that are unlike."""

_States = tuple[tuple[Path, int, int], ...]


def find_copies(models: Iterable[ModelEntry]) -> dict[str, list[str]]:
    """Return, for each model that others have the same weights as, the ids of those."""
    usable = [model for model in models if model.facts is not None]
    groups = _split([usable], {model.id: _announced(model) for model in usable})
    states = {model.id: _states(Path(model.path)) for group in groups for model in group}
    for places in (_FIRST_LOOK, _SECOND_LOOK):
        looked = {model.id: _sample(states[model.id], places) or model.id for group in groups for model in group}
        groups = _split(groups, looked)
    copies: dict[str, list[str]] = {}
    for group in groups:
        files = {model.id: _identity(states[model.id]) for model in group}
        for model in group:
            # One file under two names is no copy.
            others = [other.id for other in group if files[other.id] != files[model.id]]
            if others:
                copies[model.id] = others
    return copies


def _split(groups: Sequence[Sequence[ModelEntry]], keys: Mapping[str, Hashable]) -> list[list[ModelEntry]]:
    """Return the models whose keys are equal, without those that are like no other."""
    found: list[list[ModelEntry]] = []
    for group in groups:
        alike: dict[Hashable, list[ModelEntry]] = defaultdict(list)
        for model in group:
            alike[keys[model.id]].append(model)
        found += [models for models in alike.values() if len(models) > 1]
    return found


def _announced(model: ModelEntry) -> Hashable:
    return None if model.facts is None else (model.facts.format, model.facts.size_bytes)


def _states(path: Path) -> _States:
    """Return a model's files with weights, with what changes when they do; nothing when they cannot be read."""
    try:
        files = sorted(detect(path).files) if path.is_dir() else gguf_parts(path)
        return tuple((file, stat.st_size, stat.st_mtime_ns) for file in files for stat in (file.stat(),))
    except OSError:
        return ()


def _identity(states: _States) -> Hashable:
    try:
        return tuple((stat.st_dev, stat.st_ino) for file, _, _ in states for stat in (file.stat(),))
    except OSError:
        return states


@lru_cache(maxsize=1024)
def _sample(states: _States, places: int) -> str | None:
    """Return a hash of pieces of all files, None when they cannot be read."""
    if not states:
        return None
    digest = hashlib.sha256()
    each = max(places // len(states), 2)
    try:
        for file, size, _ in states:
            digest.update(size.to_bytes(8, "little"))
            with file.open("rb") as opened:
                for place in range(each):
                    opened.seek(max(size - _PIECE, 0) * place // (each - 1))
                    digest.update(opened.read(_PIECE))
    except OSError:
        return None
    return digest.hexdigest()
