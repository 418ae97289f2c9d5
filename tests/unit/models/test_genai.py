"""A configuration for ONNX Runtime GenAI is followed by native code: it may say what a text decoder needs, no more."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.catalog import find_servable
from peft_engine.library.facts import folder_facts
from peft_engine.models.damage import DamagedFile
from peft_engine.models.formats.genai import read_genai
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError
from tests.property.strategies import examples
from tests.unit.models.model_files import GENAI, onnx, tensor, write_genai


def changed(place: str, value: object) -> str:
    """Return the configuration with one value changed or added."""
    config: Any = deepcopy(GENAI)
    *way, last = place.split(".")
    inner = config
    for step in way:
        inner = inner.setdefault(step, {})
    inner[last] = value
    return json.dumps(config)


def test_E17_what_the_builder_writes_is_read(tmp_path: Path) -> None:
    model = read_genai(write_genai(tmp_path))

    assert (model.graph, model.family, model.ends) == (tmp_path / "model.onnx", "llama", (2, 7))
    assert (model.context_length, model.vocabulary_size, model.kv_elements) == (512, 49152, 2 * 2 * 2 * 16)
    require_sound(tmp_path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("model.decoder.session_options.custom_ops_library", "evil.so"),
        ("model.decoder.session_options.enable_profiling", "/tmp/profile"),
        ("model.decoder.session_options.config_entries", {"ep.context_file_path": "/tmp/x"}),
        ("model.decoder.session_options.optimized_model_filepath", "/tmp/graph"),
        ("model.decoder.filename", "../model.onnx"),
        ("model.decoder.filename", "/etc/passwd"),
        ("model.decoder.filename", ".."),
        ("model.decoder.filename", "missing.onnx"),
        ("model.decoder.pipeline", [{"a": {"filename": "/etc/passwd"}}]),
        ("model.embedding", {"filename": "other.onnx"}),
        ("model.vision", {"filename": "other.onnx"}),
        ("model.vocab_size", 0),
        ("model.decoder.num_hidden_layers", 10**9),
        ("model.context_length", "512"),
        ("engine", {"dynamic_batching": {}}),
    ],
)
def test_E17_a_setting_that_is_not_needed_is_refused(tmp_path: Path, place: str, value: object) -> None:
    write_genai(tmp_path, changed(place, value))
    with pytest.raises(DamagedFile):
        read_genai(tmp_path)
    with pytest.raises(WorkbenchError) as refused:
        require_sound(tmp_path)
    assert refused.value.code == "model-damaged"


def test_E17_of_two_values_of_one_name_none_is_believed(tmp_path: Path) -> None:
    twice = json.dumps(GENAI).replace('"filename": "model.onnx"', '"filename": "/etc/passwd", "filename": "model.onnx"')
    with pytest.raises(DamagedFile, match="twice"):
        read_genai(write_genai(tmp_path, twice))


@examples(100)
@given(
    st.text(max_size=200)
    | st.recursive(st.none() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(json.dumps)
)
def test_E17_any_other_text_is_refused_and_no_crash(tmp_path: Path, text: str) -> None:
    write_genai(tmp_path).joinpath("genai_config.json").write_text(text)
    with pytest.raises(DamagedFile):
        read_genai(tmp_path)


def test_E17_a_graph_that_reads_outside_the_folder_is_refused(tmp_path: Path) -> None:
    write_genai(tmp_path)
    (tmp_path / "model.onnx").write_bytes(onnx(b"\x2a" + bytes([len(t := tensor(location="../secret"))]) + t))
    with pytest.raises(WorkbenchError, match="leads out") as refused:
        require_sound(tmp_path)
    assert refused.value.code == "model-damaged"


def test_E17_a_folder_is_a_model_of_the_library(home: Path, tmp_path: Path) -> None:
    folder = write_genai(tmp_path / "small")
    facts = folder_facts(folder)
    assert (facts.format, facts.architecture, facts.context_length) == ("onnx", "llama", 512)
    (home / "models").mkdir()
    (home / "models" / "mine.yaml").write_text(f"model: {folder}\n")
    served = find_servable("mine")

    assert (served.format, served.weights, served.context_length, served.trains_as) == ("onnx", folder, 512, None)
