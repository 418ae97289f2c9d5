"""What is wrong with a model is said before it is loaded, each kind of fault by its own code."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from peft_engine.look.answers import answer
from peft_engine.look.questions import AskModel
from peft_engine.models.damage import DamagedFile, TruncatedFile
from peft_engine.models.room import require_room
from peft_engine.models.safetensors_header import check_safetensors
from peft_engine.models.validation import find_flaw, require_sound
from peft_schemas.errors import WorkbenchError
from tests.unit.models.gguf_files import Gguf

NAMED = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
    "generation_config.json",
)
ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def weights(dtype: str = "float32") -> np.ndarray:
    return np.arange(8).astype(dtype).reshape(2, 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of two files, as Transformers writes it."""
    save_file({"a.weight": weights()}, tmp_path / ONE)
    save_file({"b.weight": weights()}, tmp_path / TWO)
    index = {"weight_map": {"a.weight": ONE, "b.weight": TWO}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


FAULTS = {
    "a shard is missing": ("model-incomplete", TWO, lambda folder: (folder / TWO).unlink()),
    "config.json is missing": ("model-incomplete", "config.json", lambda folder: (folder / "config.json").unlink()),
    "a shard was cut off": ("model-truncated", ONE, lambda folder: cut(folder / ONE)),
    "a shard lacks a tensor": ("model-damaged", "a.weight", lambda folder: save_file({}, folder / ONE)),
    "weights are whole numbers": (
        "model-dtype-wrong",
        "b.weight",
        lambda folder: save_file({"b.weight": weights("int32")}, folder / TWO),
    ),
    "there is no tokenizer": ("model-tokenizer-missing", "", lambda folder: (folder / "tokenizer.json").unlink()),
    "the index leads out of the folder": (
        "model-damaged",
        "../x",
        lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../x"}}'),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_E23_each_fault_of_a_folder_has_its_own_code_and_names_the_file(folder: Path, fault: str) -> None:
    assert find_flaw(folder) is None
    code, named, plant = FAULTS[fault]
    plant(folder)
    with pytest.raises(WorkbenchError) as error:
        require_sound(folder)
    assert error.value.code == code
    assert named in error.value.message
    assert error.value.remedy


@pytest.mark.parametrize("name", [*NAMED, ONE])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_E23_what_is_no_file_is_named_and_not_waited_for(folder: Path, name: str, kind: str) -> None:
    (folder / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero")
    flaw = find_flaw(folder)
    assert flaw is not None
    assert (flaw.kind, flaw.message) == ("model-damaged", f"{name} cannot be loaded: it is no regular file.")
    # Also of a folder that is looked at as a model on paper, or by its tokenizer alone.
    known = answer(AskModel(str(folder), None, str(folder))).model
    assert known is not None
    assert known.flaw is not None
    assert known.flaw.message == flaw.message


@pytest.mark.parametrize("name", ["base.gguf", "base.safetensors"])
def test_a_base_that_is_a_pipe_is_not_waited_for(folder: Path, name: str) -> None:
    os.mkfifo(folder / name)
    known = answer(AskModel(str(folder / name), None, str(folder))).model
    assert known is None or known.flaw is not None


def test_packed_weights_that_config_json_explains_are_no_fault(folder: Path) -> None:
    save_file({"b.weight": weights("int32")}, folder / TWO)
    (folder / "config.json").write_text('{"quantization_config": {"quant_method": "gptq"}}')
    assert find_flaw(folder) is None


def test_E23_a_split_gguf_misses_its_part(tmp_path: Path) -> None:
    first, second = (tmp_path / f"m-0000{number}-of-00002.gguf" for number in (1, 2))
    first.write_bytes(Gguf().written())
    flaw = find_flaw(first)
    assert flaw is not None
    assert (flaw.kind, second.name in flaw.message) == ("model-incomplete", True)
    second.write_bytes(Gguf().written())
    assert find_flaw(first) is None
    cut(second)
    flaw = find_flaw(first)
    assert flaw is not None
    assert (flaw.kind, second.name in flaw.message) == ("model-truncated", True)


def test_a_gguf_file_of_any_name_is_checked(tmp_path: Path) -> None:
    blob = tmp_path / "sha256-0123"
    blob.write_bytes(Gguf(data=b"").written())
    flaw = find_flaw(blob)
    assert flaw is not None
    assert flaw.kind == "model-truncated"


def safetensors(header: dict[str, object] | bytes, data: bytes = bytes(32)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(*offsets: int, shape: object = (2, 4), dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}


def test_a_sound_safetensors_file_passes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(
        safetensors({"__metadata__": {"format": "pt"}, "a": tensor(0, 32), "none": tensor(32, 32, shape=[0])})
    )
    assert {stored.name for stored in check_safetensors(path)} == {"a", "none"}


LIES = {
    "a length of 2^63": struct.pack("<Q", 2**63) + b"{}",
    "no JSON": safetensors(b"{" * 64),
    "JSON that is nested a hundred thousand times": safetensors(b'{"a":' + b"[" * 100_000),
    "no object": safetensors(b"[]      "),
    "a tensor twice": safetensors(b'{"a":{"dtype":"U8","shape":[32],"data_offsets":[0,32]},"a":1}'),
    "another size than shape and type need": safetensors({"a": tensor(0, 32, shape=[3, 4])}),
    "a negative side": safetensors({"a": tensor(0, 32, shape=[-2, -4])}),
    "a side that is true": safetensors({"a": tensor(0, 4, shape=[True])}, bytes(4)),
    "a type of no name": safetensors({"a": tensor(0, 32, dtype="F33")}),
    "no place": safetensors({"a": {"dtype": "F32", "shape": [2, 4]}}),
    "tensors that overlap": safetensors({"a": tensor(0, 32), "b": tensor(16, 48)}, bytes(48)),
    "a hole": safetensors({"a": tensor(0, 32), "b": tensor(40, 72)}, bytes(72)),
    "a tensor that does not begin at the start": safetensors({"a": tensor(8, 40)}, bytes(40)),
    "bytes that belong to nothing": safetensors({"a": tensor(0, 32)}, bytes(33)),
    "a size of 2^66 bytes": safetensors({"a": tensor(0, 2**66, shape=[2**32, 2**32])}),
}


@pytest.mark.parametrize("lie", LIES)
def test_E15_a_safetensors_header_that_lies_is_refused(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(LIES[lie])
    with pytest.raises(DamagedFile):
        check_safetensors(path)


def test_E15_a_safetensors_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = safetensors({"a": tensor(0, 32)})
    path = tmp_path / "x.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(TruncatedFile if length > 9 else DamagedFile):
            check_safetensors(path)


@pytest.mark.parametrize(
    ("content", "code"), [(b"\x80\x02}.", "pickle-refused"), (bytes(64), "not-supported"), (b"", "not-supported")]
)
def test_what_nothing_here_loads_is_refused_before_it_is_tried(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(WorkbenchError) as error:
        require_sound(path)
    assert error.value.code == code


def test_E23_a_model_that_is_larger_than_the_memory_is_refused_by_a_code_of_its_own(folder: Path) -> None:
    size = sum((folder / name).stat().st_size for name in (ONE, TWO))
    require_room(folder, size)
    with pytest.raises(WorkbenchError, match="this machine has") as error:
        require_room(folder, size - 1)
    assert error.value.code == "model-too-large"
