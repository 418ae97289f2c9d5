"""The content of a file says what it is; what it is called does not matter, and nothing in it is run to find out."""

import os
import pickle
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from peft_engine.models.damage import DamagedFile
from peft_engine.models.formats import backends, detect, refuse_backend, serving_answer
from peft_engine.models.formats.coreml import read_coreml
from peft_schemas.errors import WorkbenchError
from tests.property.strategies import examples
from tests.unit.models.model_files import (
    CONTENTS,
    SUFFIXES,
    coreml,
    npz,
    old_pytorch,
    onnx,
    write_genai,
    write_package,
    zipped,
)


@pytest.mark.parametrize(("content", "suffix"), list(product(CONTENTS, [*SUFFIXES.values(), ""])))
def test_E21_the_content_wins_over_the_name(tmp_path: Path, content: str, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(CONTENTS[content])
    assert detect(path).format == content


@examples(200)
@given(st.binary(max_size=400))
def test_E21_random_bytes_are_unknown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    assert detect(path).format == "unknown"


@examples(200)
@given(st.sampled_from(sorted(CONTENTS)), st.data())
def test_E21_a_changed_file_is_told_or_unknown_and_never_an_error(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    content = bytearray(CONTENTS[kind])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=12))
    path = tmp_path / "model"
    path.write_bytes(content)
    serving_answer(detect(path))


PICKLES = {
    "the old format of PyTorch": old_pytorch(),
    "a bare pickle": pickle.dumps({"a": 1}),
    "a pickle of letters": b"cposix\nsystem\n(S'true'\ntR.",
    "an archive with a pickle at its end": zipped({"a.npy": b"", "b/data.pkl": b""}),
}


@pytest.mark.parametrize("kind", PICKLES)
def test_E16_a_pickle_of_any_kind_is_told_and_not_served(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(PICKLES[kind])
    detected = detect(path)
    assert detected.format == "pytorch"
    with pytest.raises(WorkbenchError, match="holds pickles") as error:
        serving_answer(detected).require()
    assert error.value.code == "pickle-refused"
    assert "peftw convert" in error.value.remedy


@pytest.mark.parametrize(
    "content",
    [
        zipped({"a.txt": b"hello"}),
        zipped({}),
        zipped({"model.zip": zipped({"data.txt": b""})}),
        b"PK\x03\x04" + bytes(60),
    ],
    ids=["texts", "nothing", "an archive", "a damaged archive"],
)
def test_an_archive_of_other_things_is_unknown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert detect(path).format == "unknown"


def test_an_archive_whose_directory_lies_about_its_size_is_unknown(tmp_path: Path) -> None:
    content = bytearray(npz())
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = b"\xff\xff\xff\x7f"
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    assert detect(path).format == "unknown"


def test_a_folder_is_what_its_safest_files_are(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(CONTENTS["pytorch"])
    assert detect(tmp_path).format == "pytorch"
    (tmp_path / "model.safetensors").write_bytes(CONTENTS["safetensors"])
    assert (detect(tmp_path).format, detect(tmp_path).files) == ("safetensors", (tmp_path / "model.safetensors",))
    (tmp_path / "config.json").write_text('{"quantization": {"group_size": 64, "bits": 4}}')
    assert detect(tmp_path).format == "mlx"


def test_E17_a_folder_for_onnx_runtime_genai_is_told_and_served(tmp_path: Path) -> None:
    write_genai(tmp_path)
    detected = detect(tmp_path)
    assert (detected.format, detected.layout) == ("onnx", "genai")
    assert serving_answer(detected).require() == "onnxruntime-genai"


def test_E18_a_folder_of_MLX_is_told_by_what_it_packed_or_wrote_and_served(tmp_path: Path) -> None:
    packed, archive, plain = tmp_path / "packed", tmp_path / "archive", tmp_path / "plain"
    for folder, name, content in (
        (packed, "model.safetensors", CONTENTS["safetensors"]),
        (archive, "weights.npz", npz()),
        (plain, "model.safetensors", save({"a": np.ones(4, np.float32)}, metadata={"format": "mlx"})),
    ):
        folder.mkdir()
        (folder / name).write_bytes(content)
        (folder / "config.json").write_text('{"model_type": "llama"}')
    (packed / "config.json").write_text('{"quantization": {"group_size": 64, "bits": 4}}')
    for folder in (packed, archive, plain):
        assert detect(folder).format == "mlx"
        assert serving_answer(detect(folder)).require() == "mlx"


def test_E17_a_graph_alone_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(onnx())
    for path in (tmp_path, tmp_path / "model.onnx"):
        with pytest.raises(WorkbenchError, match=r"without genai_config\.json") as error:
            serving_answer(detect(path)).require()
        assert "onnxruntime_genai.models.builder" in error.value.remedy


def test_E19_a_core_ml_model_says_its_type_and_features(tmp_path: Path) -> None:
    (tmp_path / "x.mlmodel").write_bytes(coreml())
    for path in (tmp_path / "x.mlmodel", write_package(tmp_path / "x.mlpackage")):
        assert detect(path).format == "coreml"
        spec = read_coreml(path)
        assert (spec.type, spec.version) == ("neuralNetwork", 5)
        assert (spec.inputs, spec.outputs) == ({"picture": "image", "size": "double"}, {"word": "string"})
        assert spec.metadata == {"description": "says what it sees", "author": "nobody"}


@pytest.mark.parametrize("place", ["../../../etc/passwd", "/etc/passwd", "missing"])
def test_E19_a_package_reads_nothing_outside_itself(tmp_path: Path, place: str) -> None:
    package = write_package(tmp_path / "x.mlpackage")
    manifest = package / "Manifest.json"
    manifest.write_text(manifest.read_text().replace("com.apple.CoreML/model.mlmodel", place))
    with pytest.raises((DamagedFile, OSError)):
        read_coreml(package)
    assert detect(package).format == "unknown"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS computes with Core ML")
@pytest.mark.parametrize(
    ("kind", "words"), [("coreml", "only macOS"), ("mlx", "without the config.json"), ("onnx", "genai_config")]
)
def test_E18_E19_what_is_not_served_here_gives_its_reason(tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(CONTENTS[kind])
    with pytest.raises(WorkbenchError, match=words) as error:
        serving_answer(detect(path)).require()
    assert error.value.code == "not-supported"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS may have it")
def test_E20_apples_models_are_offered_on_no_other_system() -> None:
    assert "apple-foundation-models" not in backends()
    with pytest.raises(WorkbenchError, match="macOS 26"):
        refuse_backend("apple-foundation-models")
    with pytest.raises(WorkbenchError, match="no backend"):
        refuse_backend("nonsense")


def test_safetensors_without_a_config_say_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(CONTENTS["safetensors"])
    assert "config.json" in (serving_answer(detect(path)).reason or "")
    (tmp_path / "config.json").write_text("{}")
    assert serving_answer(detect(path)).require() == "transformers"
    gguf = tmp_path / "a.gguf"
    gguf.write_bytes(CONTENTS["gguf"])
    assert serving_answer(detect(gguf)).require() == "llama.cpp"


@pytest.mark.parametrize("kind", ["pipe", "device", "loop"])
def test_E21_what_is_no_file_is_an_error_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.gguf"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    with pytest.raises(OSError, match=r"regular|symbolic"):
        detect(path)
