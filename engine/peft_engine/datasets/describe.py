"""What a dataset's file holds, by the same reading, recognising and converting as the training's own."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from peft_engine.datasets.columns import rename
from peft_engine.datasets.examples import Example
from peft_engine.datasets.formats import BadRecord, KnownFormat, normalise, recognise
from peft_engine.datasets.readers import Record, UnreadableDataset, stream_records
from peft_engine.facts import DatasetFact
from peft_schemas.config import ColumnsConfig, DatasetFormat
from peft_schemas.errors import WorkbenchError

_WHOLE = 16 * 2**20
"""Bytes up to which a file is read to its end."""

_FIRST = 5000
"""Records that are read of a longer one."""

_STREAMED = (".jsonl", ".ndjson", ".csv")
_MOST_COLUMNS = 200


@dataclass(frozen=True)
class _Read:
    """The records of a file, and the first fault in it."""

    records: list[Record]
    is_whole: bool
    problem: str | None = None
    line: int | None = None


def describe_dataset(path: Path, format: DatasetFormat, columns: ColumnsConfig) -> DatasetFact | None:
    """Return what a file holds, None when that cannot be found out.

    Args:
        path: The file.
        format: The format that the config writes.
        columns: The dataset's own names for the fields of its format.

    Raises:
        OSError: The file cannot be looked at.
    """
    read = _read(path)
    if read is None:
        return None
    named = _renamed(read.records, columns, path)
    examples, problem, line = _examples(path, named, read.records, _shape(named, format))
    lengths = sorted(example.characters for example in examples)
    return DatasetFact(
        records=len(read.records) if read.is_whole else None,
        format=recognise(named[0].value) if named else None,
        columns=_columns(read.records),
        problem=problem or read.problem,
        problem_line=line if problem else read.line,
        duplicates=len(examples) - len({hash(example) for example in examples}),
        characters_p50=percentile(lengths, 0.5),
        characters_p99=percentile(lengths, 0.99),
    )


def sample_examples(path: Path, format: DatasetFormat, columns: ColumnsConfig, count: int) -> list[Example]:
    """Return some examples of a file, the same ones each time.

    Raises:
        OSError: The file cannot be looked at.
    """
    read = _read(path)
    if read is None:
        return []
    named = _renamed(read.records, columns, path)
    examples, _, _ = _examples(path, named, read.records, _shape(named, format))
    return random.Random(0).sample(examples, min(count, len(examples)))  # noqa: S311  (repeatable, not secret)


def percentile(ordered: Sequence[int], share: float) -> int | None:
    """Return the smallest of some ascending numbers that a share of them does not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None


def _read(path: Path) -> _Read | None:
    """Read a file, or the first records of a long one; None where it cannot be read in part or a package is missing."""
    is_short = path.stat().st_size <= _WHOLE
    if not is_short and path.suffix.lower() not in _STREAMED:
        return None
    records: list[Record] = []
    try:
        records.extend(islice(stream_records(path), None if is_short else _FIRST))
    except UnreadableDataset as error:
        return _Read(records, is_whole=False, problem=error.message, line=error.line)
    except WorkbenchError:
        return None
    return _Read(records, is_whole=is_short)


def _renamed(records: list[Record], columns: ColumnsConfig, path: Path) -> list[Record]:
    try:
        return rename(records, columns, path) if records else records
    except WorkbenchError:
        # A column that is not there: the rule about columns says so.
        return records


def _shape(named: Sequence[Record], written: DatasetFormat) -> KnownFormat | None:
    """Return the written shape, or the recognised one where the first record has that and not the written one."""
    if not named:
        return None
    recognised = recognise(named[0].value)
    if written == "auto":
        return recognised
    try:
        normalise(named[0].value, written)
    except BadRecord:
        return recognised or written
    return written


def _examples(
    path: Path, named: Sequence[Record], records: Sequence[Record], shape: KnownFormat | None
) -> tuple[list[Example], str | None, int | None]:
    """Return the examples of the records that have a shape, and the first fault with its line."""
    examples: list[Example] = []
    problem: str | None = None
    line: int | None = None
    for record, original in zip(named, records, strict=True):
        if shape is None:
            break
        try:
            examples.append(normalise(record.value, shape))
        except BadRecord as error:
            if problem is None:
                problem, line = f"{path.name} cannot be used: {original.place} {error}.", original.line
    return examples, problem, line


def _columns(records: Sequence[Record]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for record in records:
        names.update(dict.fromkeys(map(str, record.value)))
    return tuple(islice(names, _MOST_COLUMNS))
