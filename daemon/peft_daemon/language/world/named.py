"""What a document names: its base model, datasets, template, preset and tracker, as far as they are texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from pydantic import ValidationError

from peft_engine.config.document import Document
from peft_engine.config.parts import Part, Placed
from peft_schemas.config import ColumnsConfig, DatasetFormat, TrackerConfig

_FORMATS: dict[str | None, DatasetFormat] = {format: format for format in get_args(DatasetFormat)}
_OWN_NAMES = ColumnsConfig()
_NO_TRACKER = TrackerConfig()
_MEMO = "named"


@dataclass(frozen=True)
class NamedDataset:
    """One entry of `datasets` or `evaluation.datasets`."""

    path: str
    format: DatasetFormat
    columns: ColumnsConfig


@dataclass(frozen=True)
class Named:
    """Everything that a document, or a part of one, names."""

    base: str | None = None
    revision: str | None = None
    template: str | None = None
    """`model.chat_template`."""

    preset: str | None = None
    tracker: str | None = None
    """The address of the tracker that measurements are sent to."""

    datasets: tuple[NamedDataset, ...] = ()

    @cached_property
    def by_path(self) -> dict[str, NamedDataset]:
        """The datasets by path; of several entries with one path the first."""
        return {dataset.path: dataset for dataset in reversed(self.datasets)}


def named_in(document: Document) -> Named:
    """Return what a document names. Parts that did not change since the last version are not looked at again."""
    datasets: list[NamedDataset] = []
    sections: list[Named] = []
    for placed in document.parts:
        part = placed.part
        own = _own(part)
        datasets += own.datasets
        if part.list_key is None:
            sections.append(own)
    return Named(
        base=_first(section.base for section in sections),
        revision=_first(section.revision for section in sections),
        template=_first(section.template for section in sections),
        preset=_first(section.preset for section in sections),
        tracker=_first(section.tracker for section in sections),
        datasets=tuple(datasets),
    )


def names_alike(before: Sequence[Placed], now: Sequence[Placed]) -> bool:
    """Tell whether two versions of a text name the same things, part by part; where parts came or went, they do not."""
    return len(before) == len(now) and all(
        old.part is new.part or (old.part.list_key == new.part.list_key and _own(old.part) == _own(new.part))
        for old, new in zip(before, now, strict=True)
    )


def _own(part: Part) -> Named:
    return part.memo.get(_MEMO) or _remember(part)


def _remember(part: Part) -> Named:
    named = part.memo[_MEMO] = _named(part.plain if part.list_key is None else {part.list_key: part.plain})
    return named


def _named(values: Any) -> Named:
    root = _mapping(values)
    model, evaluation = _mapping(root.get("model")), _mapping(root.get("evaluation"))
    return Named(
        base=_text(model.get("base")),
        revision=_text(model.get("revision")),
        template=_text(model.get("chat_template")),
        preset=_text(root.get("preset")),
        tracker=_tracker(_mapping(root.get("tracker"))),
        datasets=(*_datasets(root.get("datasets")), *_datasets(evaluation.get("datasets"))),
    )


def _datasets(values: Any) -> Iterator[NamedDataset]:
    for value in values if isinstance(values, list) else ():
        entry = _mapping(value)
        path, format = _text(entry.get("path")), _text(entry.get("format"))
        if path is not None:
            yield NamedDataset(path, _FORMATS.get(format) or "auto", _columns(entry.get("columns")))


def _tracker(section: dict[str, Any]) -> str | None:
    used = _text(section.get("type")) not in (None, _NO_TRACKER.type)
    return _text(section.get("url", _NO_TRACKER.url)) if used else None


def _columns(value: Any) -> ColumnsConfig:
    if not isinstance(value, dict):
        return _OWN_NAMES
    try:
        return ColumnsConfig.model_validate(value)
    except ValidationError:
        return _OWN_NAMES


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _first(values: Iterator[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)
