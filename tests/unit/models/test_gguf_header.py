"""The reader that looks at a GGUF file before llama.cpp does: whatever lies in a header is refused, at no cost."""

import struct
from pathlib import Path

import gguf
import pytest

from peft_engine.models.damage import DamagedFile, TruncatedFile
from peft_engine.models.gguf_data import gguf_data
from peft_engine.models.gguf_header import check_gguf, read_gguf_header
from tests.unit.models.gguf_files import ARRAY, FLOAT32, INT32, STRING, UINT32, UINT64, Gguf, Tensor, array, pair, text

NAME = pair("general.architecture", STRING, "llama")


def written(tmp_path: Path, file: Gguf | bytes) -> Path:
    path = tmp_path / "x.gguf"
    path.write_bytes(file if isinstance(file, bytes) else file.written())
    return path


def test_a_sound_file_passes_with_its_tensors(tmp_path: Path) -> None:
    two = [Tensor("a.weight", (4, 2)), Tensor("b.weight", (32, 2), kind=3, offset=32)]
    header = check_gguf(written(tmp_path, Gguf(tensors=two, data=bytes(32 + 40))))
    assert [(tensor.name, tensor.shape) for tensor in header.tensors] == [("a.weight", (2, 4)), ("b.weight", (2, 32))]


def test_the_types_are_those_of_the_gguf_package() -> None:
    known = {int(kind): sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {number: (kind.block, kind.bytes) for number, kind in gguf_data().types.items()} == known


LIES = {
    "another magic": b"GGML" + bytes(64),
    "nothing at all": b"",
    "a version of the past": Gguf(version=1),
    "a version of the future": Gguf(version=4),
    "the other byte order": Gguf(version=0x03000000),
    "2^63 tensors": Gguf(counts=(2**63, 1)),
    "2^63 pairs": Gguf(counts=(1, 2**63)),
    "more pairs than there are": Gguf(counts=(1, 9)),
    "a key twice": Gguf(pairs=[NAME, NAME]),
    "an empty key": Gguf(pairs=[NAME, pair("", UINT32, 1)]),
    "a key that is not UTF-8": Gguf(pairs=[NAME, pair(b"\xff\xfe", UINT32, 1)]),
    "a text that is not UTF-8": Gguf(pairs=[pair("general.name", STRING, b"\xff")]),
    "a text of 2^62 bytes": Gguf(pairs=[text("k") + struct.pack("<IQ", STRING, 2**62)]),
    "a value of no type": Gguf(pairs=[text("k") + struct.pack("<I", 13)]),
    "a list of lists": Gguf(pairs=[text("k") + struct.pack("<IIQ", ARRAY, ARRAY, 1)]),
    "a list of 2^61 numbers": Gguf(pairs=[text("k") + struct.pack("<IIQ", ARRAY, UINT64, 2**61)]),
    "lists that are long together": Gguf(
        pairs=[NAME] + [array(str(i), UINT32, [0] * 2**20) for i in range(4)] + [array("x", UINT32, [0])]
    ),
    "an alignment of 0": Gguf(pairs=[NAME, pair("general.alignment", UINT32, 0)]),
    "an alignment of 24": Gguf(pairs=[NAME, pair("general.alignment", UINT32, 24)]),
    "an alignment of 2^31": Gguf(pairs=[NAME, pair("general.alignment", UINT32, 2**31)]),
    "an alignment of another type": Gguf(pairs=[NAME, pair("general.alignment", INT32, 32)]),
    "an alignment that is no number": Gguf(pairs=[NAME, pair("general.alignment", FLOAT32, 32.0)]),
    "five dimensions": Gguf(tensors=[Tensor(shape=(1, 1, 1, 1, 1))]),
    "a tensor of no numbers": Gguf(tensors=[Tensor(shape=(0, 2))]),
    "a tensor whose size overflows 64 bits": Gguf(tensors=[Tensor(shape=(2**32, 2**32, 2))]),
    "a tensor whose size overflows to its true one": Gguf(tensors=[Tensor(shape=(2**62 + 2, 4))]),
    "a tensor larger than the file": Gguf(tensors=[Tensor(shape=(4, 3))]),
    "a tensor that begins beyond the file": Gguf(tensors=[Tensor(offset=2**63)]),
    "an offset that overflows": Gguf(tensors=[Tensor(offset=2**64 - 32)]),
    "an offset that is not aligned": Gguf(tensors=[Tensor(offset=4)], data=bytes(64)),
    "tensors that overlap": Gguf(tensors=[Tensor(), Tensor("b.weight")]),
    "a hole between tensors": Gguf(tensors=[Tensor(), Tensor("b.weight", offset=64)], data=bytes(96)),
    "two tensors of one name": Gguf(tensors=[Tensor(), Tensor(offset=32)], data=bytes(64)),
    "a name longer than llama.cpp's": Gguf(tensors=[Tensor("x" * 64)]),
    "a type that was removed": Gguf(tensors=[Tensor(kind=4)]),
    "a type of the future": Gguf(tensors=[Tensor(kind=2**31)]),
    "a row that is no whole number of blocks": Gguf(tensors=[Tensor(shape=(4, 2), kind=2)]),
}


@pytest.mark.parametrize("lie", LIES)
def test_E14_a_header_that_lies_is_refused(tmp_path: Path, lie: str) -> None:
    with pytest.raises(DamagedFile):
        check_gguf(written(tmp_path, LIES[lie]))


def test_E14_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    pairs = [NAME, array("tokenizer.ggml.tokens", STRING, ["a", "b"]), pair("general.alignment", UINT32, 32)]
    whole = Gguf(pairs=pairs).written()
    check_gguf(written(tmp_path, whole))
    for length in range(4, len(whole)):
        with pytest.raises(TruncatedFile):
            check_gguf(written(tmp_path, whole[:length]))


def test_a_piece_of_a_character_in_the_vocabulary_is_no_damage(tmp_path: Path) -> None:
    file = Gguf(pairs=[NAME, array("tokenizer.ggml.tokens", STRING, ["a", b"\xf0\x9f"])])
    path = written(tmp_path, file)
    check_gguf(path)
    assert read_gguf_header(path, arrays=("tokenizer.ggml.tokens",)).values["tokenizer.ggml.tokens"][0] == "a"
