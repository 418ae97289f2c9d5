"""Archives of NumPy's arrays, which MLX wrote: read as they are, or refused before they cost anything."""

import pickle
import struct
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from peft_engine.models.damage import DamagedFile
from peft_engine.models.formats.npz import read_npz, read_npz_header
from peft_engine.models.offers import conversion_offers
from peft_engine.models.validation import find_flaw
from tests.property.strategies import examples
from tests.unit.models.model_files import npz, zipped

NUMBERS = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5).flatmap(
    lambda shape: st.one_of(
        arrays.arrays(np.dtype(kind), shape) for kind in ("<f4", ">f4", "<f2", "<f8", "<i4", "|i1", "|u1", "?", ">i8")
    )
)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_.]{0,20}", fullmatch=True), NUMBERS, max_size=4), st.booleans())
@examples(60)
def test_E18_tensors_are_read_as_they_were_written(
    tmp_path: Path, tensors: dict[str, np.ndarray[Any, Any]], packed: bool
) -> None:
    path = tmp_path / "model"
    with path.open("wb") as file:
        (np.savez_compressed if packed else np.savez)(file, **tensors)
    described = {tensor.name: (tensor.shape, tensor.dtype) for tensor in read_npz_header(path)}
    assert described == {name: (held.shape, held.dtype.name) for name, held in tensors.items()}
    read = dict(read_npz(path))
    assert list(read) == list(tensors)
    for name, held in tensors.items():
        assert np.array_equal(read[name], held, equal_nan=held.dtype.kind == "f")
        assert read[name].dtype == held.dtype.newbyteorder("=")


def array(header: str, data: bytes = bytes(16), version: bytes = b"\x01\x00") -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def said(descr: str = "'<f4'", shape: str = "(2, 2)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"


class Planted:
    """Is executed when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("planted"),))


def _objects() -> bytes:
    content = BytesIO()
    np.lib.format.write_array(content, np.array([1, 2], dtype=object), allow_pickle=True)
    return content.getvalue() + pickle.dumps(Planted())


LIES = {
    "objects": _objects(),
    "a structure": array(said("[('a', '<f4')]")),
    "texts": array(said("'<U4'")),
    "a width that there is not": array(said("'<f1'")),
    "a shape of 2^62": array(said(shape="(4611686018427387904,)")),
    "a shape below nothing": array(said(shape="(-1, -4)")),
    "a shape of truths": array(said(shape="(True, 4)")),
    "a shape that is none": array(said(shape="'large'")),
    "fewer numbers": array(said(), bytes(12)),
    "more numbers": array(said(), bytes(20)),
    "a header that is no value": array("__import__('os').system('true')"),
    "a deep header": array("[" * 5000),
    "a list for a header": array("[]"),
    "no header": b"\x93NUMPY\x01\x00",
    "a header that never ends": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1),
    "another version": array(said(), version=b"\x09\x00"),
    "no array": b"no array",
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_E18_an_array_that_lies_is_refused_and_nothing_in_it_runs(
    tmp_path: Path, lie: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.npz"
    path.write_bytes(zipped({"a.npy": array(said()), "b.npy": lie}))
    for read in (read_npz_header, lambda path: list(read_npz(path))):
        with pytest.raises(DamagedFile):
            read(path)
    flaw = find_flaw(path)
    assert flaw is not None
    assert flaw.kind in ("model-damaged", "model-truncated")
    assert not (tmp_path / "planted").exists()


def test_E18_an_archive_that_unpacks_without_end_is_refused_by_its_directory(tmp_path: Path) -> None:
    content = bytearray(npz())
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 2**31)
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(DamagedFile, match="unpacks to more"):
        read_npz_header(tmp_path / "model.npz")


def test_E18_numbers_that_are_not_those_of_their_checksum_are_refused(tmp_path: Path) -> None:
    content = bytearray(npz())
    place = content.index(np.ones((2, 2), np.float32).tobytes())
    content[place] ^= 1
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(DamagedFile):
        list(read_npz(tmp_path / "model.npz"))


def test_E18_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.npz", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for _ in range(2):
            archive.writestr("a.npy", array(said()))
    with pytest.raises(DamagedFile, match="same name"):
        read_npz_header(tmp_path / "model.npz")


def test_E18_a_sound_archive_can_become_safetensors(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(npz())
    assert find_flaw(tmp_path / "model") is None
    assert [(offer.to, offer.bytes) for offer in conversion_offers(tmp_path / "model")] == [("safetensors", 16)]
