"""The names in a ZIP file, from its directory alone: nothing in it is unpacked."""

import struct
import zipfile
from pathlib import Path

_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_LARGE_END_BYTES = 56
_LONGEST_COMMENT = 2**16
_MOST_ENTRIES = 100_000
_MOST_ENTRY_BYTES = 512
"""Bytes of an entry in the directory, which are its name and some numbers; more in all is refused."""

ZIP_MAGIC = b"PK\x03\x04"


def zip_names(path: Path) -> list[str] | None:
    """Return the names of the files in an archive; None when it is none, or is too large to be a model's.

    Raises:
        OSError: The file cannot be read.
    """
    if not _directory_is_small(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError):
        return None


def _directory_is_small(path: Path) -> bool:
    """Look at what the archive's end announces, since a directory of gigabytes would be read whole."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - _END_BYTES - _LONGEST_COMMENT, 0))
        tail = file.read()
        place = tail.rfind(_END)
        if place < 0 or len(tail) < place + _END_BYTES:
            return False
        entries, length = struct.unpack_from("<HI", tail, place + 10)
        locator = tail[max(place - _LOCATOR_BYTES, 0) : place]
        if locator.startswith(_LOCATOR):  # more than the old numbers can say
            file.seek(min(struct.unpack_from("<Q", locator, 8)[0], size))
            end = file.read(_LARGE_END_BYTES)
            if len(end) < _LARGE_END_BYTES:
                return False
            entries, length = struct.unpack_from("<QQ", end, 32)
    return bool(entries <= _MOST_ENTRIES and length <= _MOST_ENTRIES * _MOST_ENTRY_BYTES)
