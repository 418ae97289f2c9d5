"""The part of a dataset that `split` names, in the notation and with the meaning of Hugging Face Datasets."""

import re
from collections.abc import Sequence
from typing import TypeVar

from peft_schemas.errors import WorkbenchError

T = TypeVar("T")

_PART = re.compile(r"(?P<name>\w[\w.-]*)?(?:\[(?:(?P<start>-?[\d_]+)%?)?:(?:(?P<stop>-?[\d_]+)%?)?\])?")


def take(records: Sequence[T], split: str, file: str) -> list[T]:
    """Return the records of a file that a split names: `train`, `train[:10%]`, `[100:200]`, or such parts with a `+`.

    Args:
        records: All of the file's records.
        split: The split as it is written.
        file: The file's name, for the sentences.

    Raises:
        WorkbenchError: It is no split, names a split that a file does not have, or goes beyond the records
            (`config-invalid`), or no record is left (`dataset-empty`).
    """
    taken = [record for part in split.split("+") for record in _part(records, part.strip(), split, file)]
    if not taken:
        raise WorkbenchError(
            "dataset-empty", f"`split: {split}` leaves no record of {file}.", "Name a part that holds some records."
        )
    return taken


def count(records: int, split: str, file: str) -> int:
    """Return how many of so many records a split takes.

    Raises:
        WorkbenchError: As `take` does, but for a split that leaves no record.
    """
    return sum(len(_part(range(records), part.strip(), split, file)) for part in split.split("+"))


def _part(records: Sequence[T], part: str, split: str, file: str) -> Sequence[T]:
    match = _PART.fullmatch(part)
    if match is None or not part:
        raise _invalid(f"`split: {split}` is no part of a dataset", "Write it like `train[:10%]` or `[100:200]`.")
    if match["name"] not in (None, "train"):
        raise _invalid(
            f"{file} is one file, and all of it is the split `train`, so `split: {split}` names nothing in it",
            "Name a part of it, such as `[:10%]`, or the file that holds that split.",
        )
    start, stop = (None if match[side] is None else int(match[side]) for side in ("start", "stop"))
    if "%" in part:
        if any(bound is not None and abs(bound) > 100 for bound in (start, stop)):
            raise _invalid(f"`split: {split}` has a bound beyond 100%", "Use bounds from -100% to 100%.")
        start, stop = (None if bound is None else round(bound * len(records) / 100) for bound in (start, stop))
    if any(bound is not None and abs(bound) > len(records) for bound in (start, stop)):
        raise _invalid(f"`split: {split}` goes beyond the {len(records)} records of {file}", "Lower its bounds.")
    return records[start:stop]


def _invalid(what: str, remedy: str) -> WorkbenchError:
    return WorkbenchError("config-invalid", f"{what}.", remedy)
