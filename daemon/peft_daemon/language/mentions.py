"""The files that a config names: datasets, templates, models, presets, and what ships with the product."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from peft_daemon.language.binding import bind
from peft_daemon.language.context import DATA_SUFFIXES, MODEL_SUFFIXES, is_local_path
from peft_daemon.language.documents import OpenDocument
from peft_engine.config.document import Document
from peft_engine.config.nodes import Scalar, target
from peft_engine.config.parts import Placed
from peft_engine.config.presets import preset_path
from peft_engine.config.schema import key_at

Kind = Literal["dataset", "model", "chat_template", "preset", "profile", "template"]
KINDS = frozenset(get_args(Kind))

_BY_KEY: dict[tuple[str, ...], Kind] = {
    ("datasets", "path"): "dataset",
    ("evaluation", "datasets", "path"): "dataset",
    ("model", "base"): "model",
    ("model", "chat_template"): "chat_template",
    ("preset",): "preset",
    ("profile",): "profile",
    ("template",): "template",
}
"""The keys that name something outside the config."""

_SUFFIXES: dict[str, tuple[str, ...]] = {"dataset": DATA_SUFFIXES, "model": MODEL_SUFFIXES}
_SHIPPED: dict[str, str] = {"profile": "profiles", "template": "templates"}
"""The folders of `peft_profiles` that hold what is named."""

_MODEL_FILE = "config.json"
_MEMO = "mentions"


@dataclass(frozen=True)
class Mention:
    """A value that names something outside the config."""

    kind: Kind
    node: Scalar
    """Where the name is written, which for one that came by an alias is at its anchor."""

    text: str
    folder: Path | None
    """The folder of the config; None when it has no place on disk."""

    @cached_property
    def path(self) -> Path | None:
        """The file or folder of this name, whether it exists or not; None when there can be none."""
        return place_of(self.kind, self.text, self.folder)

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
    """Return what a document names, each written place once, part by part."""
    folder = None if document.path is None else document.path.parent
    return [found for part, placed in document.document.alone for found in _of_part(part, placed, folder)]


def mention_at(document: OpenDocument, offset: int) -> Mention | None:
    """Return what is named at an offset."""
    folder = None if document.path is None else document.path.parent
    for part, placed in document.document.alone:
        if placed.start <= offset <= placed.start + len(part.source):
            for mention in _of_part(part, placed, folder):
                if mention.node.start <= offset <= mention.node.end:
                    return mention
    return None


def named_in(document: Document) -> list[Mention]:
    """Return what a document without a place on disk names."""
    found: dict[int, Mention] = {}
    for bound in bind(document).known:
        kind = _BY_KEY.get(tuple(part for part in bound.path if isinstance(part, str)))
        node = target(bound.entry.value)
        if kind is not None and isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
            found.setdefault(node.start, Mention(kind, node, node.value, None))
    return list(found.values())


def place_of(kind: str, text: str, folder: Path | None) -> Path | None:
    """Return the file or folder that a config in a folder means by a name, None when there can be none."""
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


def openable(path: Path | None) -> Path | None:
    """Return the file that an editor can show of a file or a model's folder, None when there is none."""
    try:
        if path is None or path.is_file():
            return path
        return path / _MODEL_FILE if (path / _MODEL_FILE).is_file() else None
    except (OSError, ValueError):
        return None


def _of_part(part: Document, placed: Placed, folder: Path | None) -> Iterator[Mention]:
    """Yield what a part of a document names, looked for once in all versions that have it."""
    memo = placed.part.memo
    if (known := memo.get(_MEMO)) is None:
        known = memo[_MEMO] = named_in(part)
    for mention in known:
        node = mention.node._replace(start=mention.node.start + placed.start, end=mention.node.end + placed.start)
        yield replace(mention, node=node, folder=folder)
