"""From a file to its raw records, each with the line it starts on."""

import csv
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from peft_engine.cancelling import while_wanted
from peft_engine.datasets.examples import LONGEST_EXAMPLE
from peft_schemas.errors import WorkbenchError

_LONGEST_LINE = 2 * LONGEST_EXAMPLE
"""Characters that are read in search of a line's end: an example, and what JSON needs to write it."""

_FORMS: dict[bytes, tuple[str, str]] = {
    b"\x1f\x8b": ("is compressed", "Unpack it"),
    b"PK\x03\x04": ("is an archive", "Unpack it"),
    b"\x28\xb5\x2f\xfd": ("is compressed", "Unpack it"),
    b"\xfd7zXZ": ("is compressed", "Unpack it"),
    b"BZh": ("is compressed", "Unpack it"),
    b"\xff\xfe": ("is UTF-16 text", "Save it as UTF-8"),
    b"\xfe\xff": ("is UTF-16 text", "Save it as UTF-8"),
}
"""What a file is that begins with some bytes, and what to do with it."""


@dataclass(frozen=True)
class Record:
    """One record of a file and where it stands."""

    place: str
    """For people: `line 12`, `record 3`."""

    value: dict[str, Any]
    line: int | None = None
    """The line it starts on; None in a file whose records are not told apart by lines."""


class UnreadableDataset(WorkbenchError):
    """A file whose content is not what it should be."""

    def __init__(self, message: str, remedy: str, line: int | None) -> None:
        super().__init__("dataset-unreadable", message, remedy)
        self.line = line


def read_records(path: Path, cancelled: Callable[[], bool] = lambda: False) -> list[Record]:
    """Read every record of a csv, json, jsonl, txt or parquet file.

    Raises:
        Cancelled: `cancelled`, which is asked at each record, said so.
        WorkbenchError: The file is missing (`dataset-missing`), is of another kind, cannot be read or holds something
            that is not a record (`dataset-unreadable`), or has no record (`dataset-empty`).
    """
    # What gives up in the middle leaves no open file behind.
    with closing(stream_records(path)) as stream:
        records = list(while_wanted(stream, cancelled))
    if not records:
        raise WorkbenchError("dataset-empty", f"{path.name} holds no record.", "Add examples to the file.")
    return records


def stream_records(path: Path) -> Generator[Record, None, None]:
    """Yield the records of a file one by one. Only jsonl and csv files are not read as a whole first.

    Raises:
        WorkbenchError: As `read_records`, but for a file without a record.
    """
    if path.is_dir():
        raise WorkbenchError(
            "dataset-unreadable", f"{path} is a folder.", "Name the file in it that holds the records."
        )
    if not path.is_file():
        raise WorkbenchError(
            "dataset-missing",
            f"There is no dataset at {path}.",
            "Correct the dataset's `path`; it is relative to the folder of the config file.",
        )
    try:
        _refuse_other_form(path)
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            raise WorkbenchError(
                "dataset-unreadable",
                f"{path.name} is not a dataset file that can be read.",
                "Use a csv, json, jsonl, txt or parquet file.",
            )
        yield from reader(path)
    except UnicodeDecodeError as error:
        line = _first_undecodable_line(path)
        raise unreadable(path, f"is not UTF-8 text at line {line}", "Save the file as UTF-8.", line) from error
    except OSError as error:
        remedy = "Make the file readable for you."
        raise unreadable(path, f"cannot be read: {error.strerror}", remedy) from error


def unreadable(path: Path, what: str, remedy: str, line: int | None = None) -> UnreadableDataset:
    """Return the error for a file whose content is not what it should be."""
    return UnreadableDataset(f"{path.name} {what}.", remedy, line)


def _refuse_other_form(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(max(map(len, _FORMS)))
    for mark, (what, remedy) in _FORMS.items():
        if start.startswith(mark):
            raise unreadable(path, what, f"{remedy}, and name the new file.")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text with their numbers, never holding more than one of them."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        number = 1
        while line := file.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                what = f"has more than {_LONGEST_LINE} characters in line {number}, more than an example can have"
                raise unreadable(path, what, "Write one record a line, and cut long documents into several.", number)
            yield number, line
            number += 1


def _read_jsonl(path: Path) -> Iterator[Record]:
    for number, line in _lines(path):
        if line.strip():
            yield _record(path, f"line {number}", _parse(path, line.rstrip("\n"), first_line=number), number)


def _read_json(path: Path) -> Iterator[Record]:
    text = _text(path)
    if not text.strip():
        return
    value = _parse(path, text, first_line=1)
    if isinstance(value, dict):
        # `{"data": [...]}`, as some exports wrap their list.
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        value = lists[0] if len(value) == 1 and lists else [value]
    if not isinstance(value, list):
        raise unreadable(path, "is neither a list nor an object", "Make it a list of records, or use jsonl.")
    for number, item in enumerate(value, start=1):
        yield _record(path, f"record {number}", item)


def _read_csv(path: Path) -> Iterator[Record]:
    # The module's own limit of 128 KiB is shorter than a long document.
    csv.field_size_limit(LONGEST_EXAMPLE)
    start = 2
    # newline="" keeps line breaks inside quoted fields as they are.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for row in reader:
                place = f"line {start}"
                if None in row or None in row.values():
                    count = len(reader.fieldnames or ())
                    remedy = f"Give it the {count} fields of the header, with quotes around a field that holds a comma."
                    raise unreadable(path, f"has the wrong number of fields at {place}", remedy, start)
                yield Record(place, dict(row), start)
                start = reader.line_num + 1
        except csv.Error as error:
            what = f"is not valid CSV near line {start}: {error}"
            raise unreadable(path, what, "Correct the quotes there.", start) from error


def _read_txt(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if line.strip():
            yield Record(f"line {number}", {"text": line}, number)


def _read_parquet(path: Path) -> Iterator[Record]:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        remedy = "Install it with `pip install pyarrow`, or convert the file to jsonl."
        raise WorkbenchError("extra-missing", f"{path.name} needs the pyarrow package to be read.", remedy) from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise unreadable(path, "is not a parquet file that can be read", "Write the file again.") from error
    for number, row in enumerate(rows, start=1):
        yield _record(path, f"record {number}", row)


_READERS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".txt": _read_txt,
    ".parquet": _read_parquet,
}


def _text(path: Path) -> str:
    # utf-8-sig drops Excel's mark.
    with path.open(encoding="utf-8-sig", newline="") as file:
        return file.read()


def _first_undecodable_line(path: Path) -> int | None:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def _parse(path: Path, text: str, *, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        what = f"is not valid JSON at line {line}, column {error.colno}: {error.msg}"
        raise unreadable(path, what, "Correct that line.", line) from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or lists in lists in lists.
        what = f"holds JSON that no program can read, from line {first_line} on"
        raise unreadable(path, what, "Correct it, or write the file again.", first_line) from error


def _record(path: Path, place: str, value: Any, line: int | None = None) -> Record:
    if not isinstance(value, dict):
        what = f"holds something that is not an object at {place}"
        raise unreadable(path, what, "Make each record an object with named fields.", line)
    return Record(place, value, line)
