"""Loading one dataset of a config."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peft_engine.cancelling import while_wanted
from peft_engine.datasets.columns import rename
from peft_engine.datasets.examples import Example
from peft_engine.datasets.formats import BadRecord, KnownFormat, known_fields, normalise, recognise
from peft_engine.datasets.readers import read_records, unreadable
from peft_engine.datasets.slices import take
from peft_engine.files import sha256, stamp
from peft_schemas.config import DatasetConfig


@dataclass(frozen=True)
class LoadedDataset:
    """The examples of one file that the config asks for, in its order."""

    path: Path
    sha256: str
    """Of the file's bytes, in hex."""

    format: KnownFormat
    examples: tuple[Example, ...]


def load_dataset(config: DatasetConfig, folder: Path, cancelled: Callable[[], bool] = lambda: False) -> LoadedDataset:
    """Read a dataset and bring every record to the one form.

    Args:
        config: The dataset as the config names it.
        folder: What a relative path is relative to: the folder of the config file.
        cancelled: Asked at each record whether somebody still wants them.

    Raises:
        Cancelled: `cancelled` said so.
        WorkbenchError: The file is missing, unreadable or empty, `split` or `columns` name what it does not have, its
            shape is unknown, or a record does not have it, of which the sentence names the line; or the file changed
            while it was read.
    """
    path = folder / Path(config.path).expanduser()
    before = stamp(path)
    records = read_records(path, cancelled)
    if config.split is not None:
        records = take(records, config.split, path.name)
    records = rename(records, config.columns, path)
    shape = config.format if config.format != "auto" else recognise(records[0].value)
    if shape is None:
        fields = ", ".join(map(str, list(records[0].value)[:8])) or "none"
        raise unreadable(
            path,
            f"has records of an unknown shape: {records[0].place} has the fields {fields}",
            f"Name the fields as one of these does ({known_fields()}).",
        )
    examples = []
    for record in while_wanted(records, cancelled):
        try:
            examples.append(normalise(record.value, shape))
        except BadRecord as error:
            remedy = f"Correct it, or set `format` if the records are not {shape}."
            raise unreadable(path, f"cannot be used: {record.place} {error}", remedy) from error
    digest = sha256(path)
    if stamp(path) != before:
        remedy = "Start again when nothing writes to the file any more."
        raise unreadable(path, "changed while it was read", remedy)
    return LoadedDataset(path, digest, shape, tuple(examples))
