"""Where a conversion writes before its result has its name, and how what it left is removed."""

import shutil
from pathlib import Path


def place_of_unfinished(output: Path) -> Path:
    """Return the folder, beside the output, in which it is made."""
    return output.with_name(f".{output.name}.making")


def remove_unfinished(output: Path) -> None:
    """Remove what a conversion that ended, or was ended, left behind."""
    shutil.rmtree(place_of_unfinished(output), ignore_errors=True)
