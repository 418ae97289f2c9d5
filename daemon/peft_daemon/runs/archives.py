"""Archives of plain files, as gzipped tar or as zip, read from front to end, one file at a time."""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, Self

ENDINGS = (".tar.gz", ".tgz", ".zip")
PIECE = 1 << 20
"""Bytes that are held of a file at a time."""

DAMAGE = (OSError, EOFError, ValueError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged or foreign archive raises; RuntimeError where it is encrypted or packed in another way."""


_GZIP = b"\x1f\x8b"
"""How a gzipped file begins."""

_LARGEST_HEADER = 1 << 16
"""Bytes. Names and attributes are read whole into memory, so a header must not say that it has much more than ours."""


class Content(Protocol):
    """What a file of an archive holds, read from front to end."""

    def read(self, size: int = ..., /) -> bytes:
        """Return the next bytes, at most so many; none at the end."""


class Writer(Protocol):
    """Takes the files of an archive."""

    def add(self, name: str, size: int, content: Content) -> None:
        """Append a file of so many bytes."""


class _TarWriter:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, size: int, content: Content) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o644
        self._tar.addfile(entry, content)


class _ModestEntry(tarfile.TarInfo):
    """An entry that refuses to be a header of any length that an archive says."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        entry = super().frombuf(buf, encoding, errors)
        if not entry.isreg() and entry.size > _LARGEST_HEADER:
            raise ValueError("one of its headers is too long")
        return entry


class _ZipWriter:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, name: str, size: int, content: Content) -> None:
        entry = zipfile.ZipInfo(name)
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, size
        with self._archive.open(entry, "w") as out:
            shutil.copyfileobj(content, out, PIECE)


@contextmanager
def writing(path: Path, name: str) -> Iterator[Writer]:
    """Open a new archive of the form that the ending of `name` says, which is one of `ENDINGS`."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            yield _ZipWriter(archive)
    else:
        with tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as tar:
            yield _TarWriter(tar)


@contextmanager
def reading(path: Path) -> "Iterator[Iterator[tuple[str, IO[bytes]]]]":
    """Yield the name and content of each entry, in the order in which they lie, one at a time.

    Raises:
        ValueError: An entry is no plain file, or the file is no archive of ours.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield _zip_entries(archive)
    elif not _is_gzip(path):
        raise ValueError("it is neither a zip nor a gzipped tar, or it is not whole")
    else:
        with tarfile.open(path, "r|gz", tarinfo=_ModestEntry) as tar:
            yield _tar_entries(tar)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def _zip_entries(archive: zipfile.ZipFile) -> "Iterator[tuple[str, IO[bytes]]]":
    for entry in archive.infolist():
        # The upper half of this field is the file's mode where a Unix program wrote the archive.
        kind = entry.external_attr >> 16 & 0o170000
        if entry.is_dir() or kind not in (0, 0o100000):
            raise ValueError(f"{entry.filename!r} is no plain file")
        with archive.open(entry) as content:
            yield entry.filename, content


def _tar_entries(tar: tarfile.TarFile) -> "Iterator[tuple[str, IO[bytes]]]":
    for entry in tar:
        content = tar.extractfile(entry) if entry.isreg() else None
        if content is None:
            raise ValueError(f"{entry.name!r} is no plain file")
        yield entry.name, content
