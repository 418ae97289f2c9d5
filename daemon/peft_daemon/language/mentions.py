"""The files that a config names: datasets, templates, models, presets, and what ships with the product."""

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from peft_daemon.language.binding import bind
from peft_daemon.language.context import DATA_SUFFIXES, MODEL_SUFFIXES, is_local_path
from peft_daemon.language.documents import OpenDocument
from peft_engine.config.nodes import Scalar, target
from peft_engine.config.presets import preset_path
from peft_engine.config.schema import key_at

Kind = Literal["dataset", "model", "chat_template", "preset", "profile", "template"]

_KINDS: dict[tuple[str, ...], Kind] = {
    ("datasets", "path"): "dataset",
    ("evaluation", "datasets", "path"): "dataset",
    ("model", "base"): "model",
    ("model", "chat_template"): "chat_template",
    ("preset",): "preset",
    ("profile",): "profile",
    ("template",): "template",
}
"""The keys that name something outside the config."""

_SUFFIXES: dict[Kind, tuple[str, ...]] = {"dataset": DATA_SUFFIXES, "model": MODEL_SUFFIXES}
_SHIPPED: dict[Kind, str] = {"profile": "profiles", "template": "templates"}
"""The folders of `peft_profiles` that hold what is named."""


@dataclass(frozen=True)
class Mention:
    """A value that names something outside the config."""

    kind: Kind
    node: Scalar
    """Where the name is written, which for one that came by an alias is at its anchor."""

    text: str
    path: Path | None
    """The file or folder of this name, whether it exists or not; None when there can be none."""

    @property
    def is_shipped(self) -> bool:
        """Whether it names a file of this product, which nobody moves."""
        return self.kind in _SHIPPED

    def means_the_same(self, other: "Mention") -> bool:
        """Tell whether two values name the same thing, be it a file here or something on the hub."""
        if self.is_local and other.is_local:
            return (self.path or self.text) == (other.path or other.text)
        return (self.kind, self.text) == (other.kind, other.text) and not self.is_local and not other.is_local

    @property
    def reads_as_path(self) -> bool:
        """Whether the value has the form of a path of this machine, whatever lies there."""
        if self.kind in _SUFFIXES:
            return is_local_path(self.text, _SUFFIXES[self.kind])
        return self.kind == "chat_template"

    @property
    def is_local(self) -> bool:
        """Whether something of this machine is meant rather than of the hub. It looks at the disk."""
        if self.kind not in _SUFFIXES:
            return self.path is not None
        return self.reads_as_path or (self.path is not None and self.path.exists())


def mentions(document: OpenDocument) -> list[Mention]:
    """Return what a document names, in its order, each written place once."""
    folder = None if document.path is None else document.path.parent
    found: dict[int, Mention] = {}
    for bound in bind(document.document).known:
        kind = _KINDS.get(tuple(part for part in bound.path if isinstance(part, str)))
        node = target(bound.entry.value)
        if kind is not None and isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
            path = _path(kind, node.value, folder)
            found.setdefault(node.start, Mention(kind, node, node.value, path))
    return list(found.values())


def mention_at(document: OpenDocument, offset: int) -> Mention | None:
    """Return what is named at an offset."""
    return next((one for one in mentions(document) if one.node.start <= offset <= one.node.end), None)


def _path(kind: Kind, text: str, folder: Path | None) -> Path | None:
    try:
        if kind in _SHIPPED:
            # A name that the language does not know leads nowhere, whatever lies in that folder.
            known = text in getattr(key_at((kind,)), "choices", ())
            place = resources.files("peft_profiles").joinpath(f"{_SHIPPED[kind]}/{text}.yaml")
            return Path(str(place)) if known else None
        if kind == "preset":
            return preset_path(text, folder)
        path = Path(text).expanduser()
        if not path.is_absolute() and folder is None:
            return None
        return Path(os.path.normpath(path if folder is None else folder / path))
    except (OSError, ValueError, RuntimeError):
        return None
