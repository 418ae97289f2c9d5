"""Model ids as a user writes them: `base`, `base:adapter`, `base:adapter@0.5`, `base:one+other@0.5`.

A base may have colons of its own, as `llama3:8b`, so the adapters are what follows the last one; whoever knows a base
by the whole text takes that reading first.
"""

import math
import re
from dataclasses import dataclass

from peft_engine.library.bounds import library_bounds
from peft_schemas.errors import WorkbenchError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""A name that is never a path: no separator, no leading dot."""

_SCALE = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,6})?")
_LONGEST = 1024
"""Characters. No path of a base has as many, and an id comes from whoever asks."""


@dataclass(frozen=True)
class ChosenAdapter:
    """An adapter by name, and how strongly it is wanted."""

    name: str
    scale: float = 1.0


@dataclass(frozen=True)
class ModelId:
    """A base and the adapters on it, in the order in which they are written."""

    base: str
    adapters: tuple[ChosenAdapter, ...] = ()


def parse_model_id(text: str) -> ModelId:
    """Take an id apart at its last colon.

    Raises:
        WorkbenchError: A part is no name, a scale is no number or out of bounds, or an adapter is named twice
            (`model-missing`); the message names the part.
    """
    if len(text) > _LONGEST or not text.isprintable():
        raise _refused(text[:40], "is no model id")
    base, colon, chosen = text.rpartition(":")
    if not colon:
        return ModelId(text)
    if not base:
        raise _refused(text, "names no base before its colon")
    adapters = tuple(_parse_adapter(part, text) for part in chosen.split("+"))
    names = [adapter.name for adapter in adapters]
    for name in names:
        if names.count(name) > 1:
            raise _refused(text, f"names the adapter {name} twice")
    return ModelId(base, adapters)


def format_model_id(model: ModelId) -> str:
    """Write an id; scales of 1 are left out."""
    parts = [one.name if one.scale == 1 else f"{one.name}@{one.scale:g}" for one in model.adapters]
    return f"{model.base}:{'+'.join(parts)}" if parts else model.base


def _parse_adapter(part: str, whole: str) -> ChosenAdapter:
    name, at, written = part.partition("@")
    if not _NAME.fullmatch(name):
        raise _refused(whole, f"has {name!r} where the name of an adapter belongs")
    if not at:
        return ChosenAdapter(name)
    allowed = library_bounds().adapter_scale
    scale = float(written) if _SCALE.fullmatch(written) else math.nan
    if not allowed.lowest <= scale <= allowed.highest:
        raise _refused(
            whole,
            f"gives {name} the scale {written!r}, which is no number from {allowed.lowest:g} to {allowed.highest:g}",
        )
    return ChosenAdapter(name, scale)


def _refused(text: str, fault: str) -> WorkbenchError:
    return WorkbenchError(
        "model-missing",
        f"The model id {text!r} {fault}.",
        "Write `base`, `base:adapter`, `base:adapter@0.5` or `base:one+other@0.5`.",
    )
