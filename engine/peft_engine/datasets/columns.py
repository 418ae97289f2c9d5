"""A dataset's own names for the fields of its format."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from peft_engine.datasets.readers import Record
from peft_schemas.config import ColumnsConfig
from peft_schemas.errors import WorkbenchError


def rename(records: Sequence[Record], columns: ColumnsConfig, path: Path) -> list[Record]:
    """Give every record's columns the names that the formats know.

    Raises:
        WorkbenchError: No record has a column that is named (`config-invalid`).
    """
    names: dict[str, str] = columns.model_dump(exclude_none=True)
    if not names:
        return list(records)
    for field, column in names.items():
        if not any(column in record.value for record in records):
            there = ", ".join(map(str, list(records[0].value)[:8])) or "none"
            raise WorkbenchError(
                "config-invalid",
                f"`columns.{field}` is `{column}`, but no record of {path.name} has that column; it has {there}.",
                "Name a column that the dataset has.",
            )
    return [Record(record.place, _renamed(record.value, names)) for record in records]


def _renamed(value: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Move columns to their new names, all at once, so that two columns can change places."""
    # What stood under a new name would be taken for the column that was asked for.
    gone = {*names, *names.values()}
    kept = {column: inner for column, inner in value.items() if column not in gone}
    return kept | {field: value[column] for field, column in names.items() if column in value}
