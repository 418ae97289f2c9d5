"""The entries of `datasets` and `evaluation.datasets`, as rules look at them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from peft_daemon.language.binding import Binding, BoundKey
from peft_daemon.language.context import CheckContext
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

    def key(self, binding: Binding, *names: str) -> BoundKey | None:
        """Return a written key, such as `path` or `columns`, `prompt`."""
        return binding.at((*self.place, *names))

    def fact(self, context: CheckContext) -> DatasetFact | None:
        """Return what is known of its data."""
        return None if self.path is None else context.datasets.get(self.path)

    def format(self, context: CheckContext) -> str | None:
        """Return the written format, else the recognised one, None when it is not known."""
        written = self.values.get("format", "auto")
        if written != "auto":
            return written if isinstance(written, str) else None
        fact = self.fact(context)
        return None if fact is None else fact.format


def listed(values: Any, list_: Path) -> list[Any]:
    """Return the entries of one list of datasets as they are written, plain; none where there is no list."""
    for part in list_:
        values = values.get(part) if isinstance(values, dict) else None
    return values if isinstance(values, list) else []


def dataset_entries(values: Any, list_: Path) -> Iterator[DatasetEntry]:
    """Yield the written datasets of one list."""
    for index, entry in enumerate(listed(values, list_)):
        if isinstance(entry, dict):
            path = entry.get("path")
            yield DatasetEntry((*list_, index), entry, path if isinstance(path, str) and path else None)
