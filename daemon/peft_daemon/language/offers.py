"""The values worth offering for a key: listed ones, those of the real model and data, and what it would be left out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, get_args

from peft_daemon.language.choices import choice_meaning
from peft_daemon.language.context import CheckContext
from peft_daemon.language.local_models import local_models
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.unwritten import unwritten
from peft_engine.capabilities import TRAINABLE_METHODS, TRAINABLE_QUANTIZATIONS
from peft_engine.config.document import Path
from peft_engine.config.nodes import plain
from peft_engine.config.resolve import run_name
from peft_engine.config.schema import Key
from peft_engine.profiles import load_profile, load_template
from peft_schemas.config import ProfileName, TemplateName

_SUPPORTED: dict[str, tuple[str, ...]] = {
    "method.type": TRAINABLE_METHODS,
    "model.quantization": TRAINABLE_QUANTIZATIONS,
}
"""The values of a key that this version can train with, where it cannot with all."""


@dataclass(frozen=True)
class Offer:
    """A value and a word about it."""

    value: Any
    detail: str
    is_supported: bool = True


def value_offers(subject: Subject, path: Path, key: Key, *, file: FilePath | None, in_list: bool) -> list[Offer]:
    """Return the values to offer, the likeliest first.

    Args:
        subject: The document and what is known around it.
        path: The path of the key.
        key: The key.
        file: The document's own file.
        in_list: Whether the value is one of a list's.
    """
    pattern = pattern_of(path)
    if in_list:
        return list(_list_items(subject, path, key.name))
    special = _SPECIAL.get(pattern)
    if special is not None:
        return [Offer(value, detail) for value, detail in special(subject.context, file)]
    if ".columns." in pattern:
        return [Offer(name, "a column of this dataset") for name in _columns(subject, path)]
    supported = _SUPPORTED.get(pattern)
    return [
        Offer(value, detail, supported is None or value in supported)
        for value, detail in _plain_offers(subject, path, pattern, key)
    ]


def pattern_of(path: Path) -> str:
    """Return a path as the language has it, `[]` marking a list: `datasets[].path`."""
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _plain_offers(subject: Subject, path: Path, pattern: str, key: Key) -> Iterator[tuple[Any, str]]:
    values: dict[Any, str] = {}
    otherwise = None if any(isinstance(part, int) for part in path) else unwritten(subject, pattern)
    if otherwise is not None and otherwise.name is not None:
        values[otherwise.value] = f"from the {otherwise.origin} {otherwise.name}"
    if key.default is not None and not isinstance(key.default, list):
        values.setdefault(key.default, "the default")
    choices = key.choices or ((True, False) if key.types == ("boolean",) else key.examples)
    for choice in choices:
        values.setdefault(choice, "")
    for value, detail in values.items():
        meaning = choice_meaning(pattern, value) if isinstance(value, str | int) else None
        yield value, ", ".join(filter(None, (meaning, detail)))


def _list_items(subject: Subject, path: Path, name: str) -> Iterator[Offer]:
    """Yield the modules of the real model that are not in the list yet."""
    model = subject.context.model
    if model is None or name not in ("target_modules", "modules_to_save"):
        return
    place = subject.document.find(path)
    written = plain(place.value) if place is not None else []
    taken = {item for item in written if isinstance(item, str)} if isinstance(written, list) else set()
    linear = model.linear or frozenset()
    names = {name.rpartition(".")[2] for name in model.modules or ()}
    # An adapter goes on a linear layer; what is trained in full is mostly something else, such as the embeddings.
    others = sorted(names - linear)
    offered = sorted(linear) if name == "target_modules" else [*others, *sorted(linear)]
    yield from (Offer(item, "in this model") for item in offered if item not in taken)


def _columns(subject: Subject, path: Path) -> tuple[str, ...]:
    last = max(index for index, part in enumerate(path) if isinstance(part, int))
    place = subject.document.find((*path[: last + 1], "path"))
    fact = None if place is None else subject.context.datasets.get(str(plain(place.value)))
    return () if fact is None else fact.columns


def _files(context: CheckContext, _: FilePath | None) -> Iterator[tuple[str, str]]:
    return ((name, "a file here") for name in context.data_files)


def _models(context: CheckContext, _: FilePath | None) -> Iterator[tuple[str, str]]:
    return iter(local_models(context.folder).items())


def _names(_: CheckContext, file: FilePath | None) -> Iterator[tuple[str, str]]:
    if file is not None:
        yield run_name(file), "the name of this file"


_SPECIAL: dict[str, Callable[[CheckContext, FilePath | None], Iterator[tuple[Any, str]]]] = {
    "name": _names,
    "profile": lambda *_: ((name, load_profile(name).title) for name in get_args(ProfileName)),
    "template": lambda *_: ((name, load_template(name).title) for name in get_args(TemplateName)),
    "preset": lambda context, _: ((name, "a preset of yours") for name in context.preset_names),
    "model.base": _models,
    "datasets[].path": _files,
    "evaluation.datasets[].path": _files,
}
"""Keys whose values come from the world rather than from the language."""
