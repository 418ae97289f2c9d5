"""Weights in NumPy's archives, which MLX wrote before it took to safetensors. Read without NumPy's pickles.

The format is NumPy's (NEP 1): a ZIP file of `.npy` files, each a short header, a Python literal, and the numbers. An
archive may lie about each size in it and may unpack to more than any disk holds, so every size is held against the
header of its array before a number is read.
"""

import ast
import math
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from peft_engine.models.damage import DamagedFile, TruncatedFile
from peft_engine.models.formats.archives import zip_names
from peft_engine.models.safetensors_header import StoredTensor

_MAGIC = b"\x93NUMPY"
_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}
"""How each version of the format writes the length of the header."""

_LONGEST_HEADER = 10_000
"""Bytes, NumPy's own limit. A tensor's has about a hundred."""

_MOST_PACKED = 1100
"""How many times as large as its file an archive may unpack to. DEFLATE makes at most 1032 bytes of one."""

_DTYPE = re.compile(r"[<>|=](?P<kind>f(?=[248])|[iu]|b(?=1))(?P<bytes>[1248])")
_KINDS = {"f": "float", "i": "int", "u": "uint"}
_SUFFIX = ".npy"
_ENCRYPTED = 1


def read_npz_header(path: Path) -> list[StoredTensor]:
    """Read the descriptions of an archive's tensors and hold them against the sizes in its directory.

    Raises:
        OSError: The file cannot be read.
        DamagedFile: It is no such archive, contradicts itself, or holds what is no array of numbers.
    """
    with _opened(path) as archive:
        return [_described(archive, entry) for entry in archive.infolist()]


def read_npz(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each tensor's name and its numbers, an array of NumPy's, as this machine orders their bytes.

    Raises:
        OSError: The file cannot be read.
        DamagedFile: As `read_npz_header`, or numbers are missing or not those of their checksum.
    """
    # Here and not above: headers are looked at by processes that stay light.
    import numpy as np

    names = [tensor.name for tensor in read_npz_header(path)]
    with _opened(path) as archive:
        for name, entry in zip(names, archive.infolist(), strict=True):
            with archive.open(entry) as file:
                numbers = np.lib.format.read_array(file, allow_pickle=False, max_header_size=_LONGEST_HEADER)
                # The checksum is looked at with the last byte.
                file.read(1)
            yield name, numbers.astype(numbers.dtype.newbyteorder("="), order="C", copy=False)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if zip_names(path) is None:
        raise DamagedFile("it is no archive, or one with more entries than any model has")
    try:
        with zipfile.ZipFile(path) as archive:
            entries, size = archive.infolist(), path.stat().st_size
            if len({entry.filename for entry in entries}) < len(entries):
                raise DamagedFile("two arrays have the same name")
            if sum(entry.compress_size for entry in entries) > size:
                raise DamagedFile("its arrays overlap")
            if sum(entry.file_size for entry in entries) > _MOST_PACKED * size:
                raise DamagedFile("it unpacks to more than an archive of its size can hold")
            yield archive
    except DamagedFile:
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise DamagedFile(f"the archive is damaged ({error})") from error


def _described(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> StoredTensor:
    if not entry.filename.endswith(_SUFFIX) or entry.flag_bits & _ENCRYPTED:
        raise DamagedFile(f"{entry.filename[:80]} is no array")
    name = entry.filename.removesuffix(_SUFFIX)
    with archive.open(entry) as file:
        header, skipped = _header(file, name)
    shape, dtype = header.get("shape"), header.get("descr")
    known = _DTYPE.fullmatch(dtype) if isinstance(dtype, str) else None
    if known is None:
        raise DamagedFile(f"the array {name} holds {str(dtype)[:40]!r}, which are no numbers of a tensor")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise DamagedFile(f"the array {name} has no shape")
    width = int(known["bytes"])
    if entry.file_size != skipped + math.prod(shape) * width:
        raise TruncatedFile(f"the array {name} has another size than its shape and type need")
    kind = "bool" if known["kind"] == "b" else f"{_KINDS[known['kind']]}{8 * width}"
    return StoredTensor(name, shape, kind)


def _header(file: IO[bytes], name: str) -> tuple[dict[str, object], int]:
    """Return an array's header and how many bytes there are before its numbers."""
    start = file.read(len(_MAGIC) + 2)
    form = _LENGTHS.get(start[-2]) if start[:-2] == _MAGIC else None
    if form is None:
        raise DamagedFile(f"{name[:80]} is no array")
    (length,) = struct.unpack(form, file.read(struct.calcsize(form)).ljust(struct.calcsize(form), b"\xff"))
    if length > _LONGEST_HEADER:
        raise DamagedFile(f"the array {name} has a header longer than any")
    try:
        header = ast.literal_eval(file.read(length).decode("latin-1").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise DamagedFile(f"the header of the array {name} cannot be read") from error
    if not isinstance(header, dict):
        raise DamagedFile(f"the header of the array {name} cannot be read")
    return header, len(start) + struct.calcsize(form) + length
