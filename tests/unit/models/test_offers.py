"""What a model can be converted to is said before anything is started, or why to nothing."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter
from safetensors.numpy import save_file

from peft_engine.models.convertible import conversion_data
from peft_engine.models.offers import conversion_offers
from peft_engine.models.refusal import NotConvertible
from tests.unit.library.layouts import write_gguf

ALL_TYPES = [f"gguf:{kind}" for kind in conversion_data().types]
PACKED_TYPES = [f"gguf:{name}" for name, kind in conversion_data().types.items() if not kind.written]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    save_file({"a": np.zeros((100, 10), np.float32)}, folder / "model.safetensors")
    return folder


def targets(source: Path, adapter: Path | None = None) -> list[str]:
    return [offer.to for offer in conversion_offers(source, adapter)]


def test_E25_a_folder_is_offered_in_each_type_with_its_size(folder: Path) -> None:
    sizes = {offer.to: offer.bytes for offer in conversion_offers(folder)}
    assert list(sizes) == ALL_TYPES
    assert (sizes["gguf:f32"], sizes["gguf:f16"]) == (4000, 2000)


@pytest.mark.parametrize(
    ("config", "alone"), [({}, ["gguf-adapter"]), ({"use_dora": True}, []), ({"modules_to_save": ["lm_head"]}, [])]
)
def test_E25_an_adapter_is_offered_alone_where_llama_cpp_knows_its_kind(
    folder: Path, config: dict[str, object], alone: list[str]
) -> None:
    adapter = folder.with_name("adapter")
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    assert targets(folder, adapter) == [*alone, "safetensors", *ALL_TYPES]


def test_E25_pickles_are_offered_as_safetensors_and_on_to_gguf(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": [1.0]}))
    assert targets(folder) == ["safetensors", *ALL_TYPES]
    assert targets(folder / "pytorch_model.bin") == ["safetensors"]
    (folder / "config.json").write_text('{"model_type": "unheard_of"}')
    assert targets(folder) == ["safetensors"]


def test_E25_a_gguf_file_is_offered_packed_unless_it_is(tmp_path: Path) -> None:
    assert targets(write_gguf(tmp_path / "whole.gguf")) == PACKED_TYPES
    packed = tmp_path / "packed.gguf"
    writer = GGUFWriter(packed, "llama")
    writer.add_tensor("t", np.zeros((1, 34), np.uint8), raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(NotConvertible, match="packed already"):
        conversion_offers(packed)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "unheard_of"}, "family unheard_of"),
        ({"model_type": "llama", "quantization_config": {}}, "packed already"),
        ({}, "no config.json"),
    ],
)
def test_E25_what_cannot_be_converted_is_told_with_the_reason(
    folder: Path, config: dict[str, object], reason: str
) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(NotConvertible, match=reason):
        conversion_offers(folder)


def test_E25_a_file_of_no_known_format_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(100))
    with pytest.raises(NotConvertible, match="no model of a format that is known"):
        conversion_offers(tmp_path / "noise")
