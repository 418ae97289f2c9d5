"""The entries of `datasets` and `evaluation.datasets`, as rules look at them."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from peft_daemon.language.binding import BoundKey
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import Path
from peft_engine.facts import DatasetFact

LISTS: tuple[Path, ...] = (("datasets",), ("evaluation", "datasets"))
"""Where datasets are listed."""


class DatasetEntry(NamedTuple):
    """One written dataset."""

    place: Path
    """Its own path: `("datasets", 0)`."""

    values: Mapping[str, Any]
    """What is written, as plain values."""

    path: str | None
    """The file or id that it names, None when that is no text."""

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are named for the fields of the format."""
        columns = self.values.get("columns")
        named = columns.items() if isinstance(columns, dict) else ()
        return {field: column for field, column in named if isinstance(column, str)}

    def key(self, subject: Subject, *names: str) -> BoundKey | None:
        """Return a written key, such as `path` or `columns`, `prompt`."""
        return subject.binding.at((*self.place, *names))

    def fact(self, subject: Subject) -> DatasetFact | None:
        """Return what is known of its data."""
        return None if self.path is None else subject.context.datasets.get(self.path)

    def format(self, subject: Subject) -> str | None:
        """Return the written format, else the recognised one, None when it is not known."""
        written = self.values.get("format", "auto")
        if written != "auto":
            return written if isinstance(written, str) else None
        fact = self.fact(subject)
        return None if fact is None else fact.format


def entries(subject: Subject, list_: Path) -> tuple[DatasetEntry, ...]:
    """Return the written entries of one list of datasets."""
    known: tuple[DatasetEntry, ...] | None = subject.shared.get(list_)
    if known is None:
        known = subject.shared[list_] = tuple(_find(subject.values, list_))
    return known


def all_entries(subject: Subject) -> Iterator[DatasetEntry]:
    """Yield the written entries of both lists."""
    return chain.from_iterable(entries(subject, list_) for list_ in LISTS)


def _find(values: Any, list_: Path) -> Iterator[DatasetEntry]:
    for part in list_:
        values = values.get(part) if isinstance(values, dict) else None
    for index, entry in enumerate(values if isinstance(values, list) else ()):
        if isinstance(entry, dict):
            path = entry.get("path")
            yield DatasetEntry((*list_, index), entry, path if isinstance(path, str) and path else None)
