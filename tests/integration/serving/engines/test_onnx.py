"""A folder for ONNX Runtime GenAI, from the library to an answer over HTTP."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import openai
import pytest
import yaml

from peft_daemon.models.changing import add_model
from peft_engine.catalog import find_servable
from peft_engine.inference.contract import AdapterUse
from peft_engine.inference.loading import load_engine
from peft_engine.inference.onnx import OnnxEngine
from peft_engine.inference.onnx.providers import available_providers
from peft_engine.serve_record import ServeRecord
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import answer, request
from tests.integration.serving.engines.conftest import Forms, Kind

pytestmark = pytest.mark.model


@pytest.fixture
def folder(tiny_forms: dict[Kind, Forms], tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(tiny_forms["onnx"].base, tmp_path / "small-onnx")


def test_E17_a_folder_is_added_listed_and_chatted_with(folder: Path, own_process: Callable[[], ServeRecord]) -> None:
    added = add_model(folder)
    assert added.facts is not None
    assert (added.id, added.facts.format, added.facts.capabilities) == ("small-onnx", "onnx", ["chat"])

    record = own_process()
    client = openai.OpenAI(base_url=record.url, api_key=record.token, timeout=300, max_retries=0)
    listed = [model.id for model in client.models.list()]
    pieces = list(
        client.chat.completions.create(
            model="small-onnx",
            messages=[{"role": "user", "content": "Hello."}],
            temperature=0,
            max_tokens=8,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    assert "small-onnx" in listed
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 8
    assert any(choice.delta.content for piece in pieces for choice in piece.choices)


def test_E17_a_provider_that_is_not_there_is_named_with_those_that_are(folder: Path, home: Path) -> None:
    assert "cpu" in available_providers()
    lacking = next(provider for provider in ("dml", "coreml", "cuda") if provider not in available_providers())
    (home / "settings.yaml").write_text(yaml.safe_dump({"serving": {"onnx_provider": lacking}}))
    add_model(folder)
    with pytest.raises(WorkbenchError, match=f"{lacking}.*cpu") as refused:
        load_engine(find_servable("small-onnx"), lambda _: True, threads=1)
    assert (refused.value.code, "settings.yaml" in refused.value.remedy) == ("not-supported", True)


def test_an_adapter_on_a_graph_is_refused(tiny_forms: dict[Kind, Forms]) -> None:
    forms = tiny_forms["onnx"]
    engine = forms.load()
    try:
        with pytest.raises(WorkbenchError, match="no adapter") as refused:
            engine.open(request("Hello.", forms.first))
        assert refused.value.code == "not-supported"
        bare, nothing = (
            answer(engine, request("Hello.", *uses))[0].text for uses in ((), (AdapterUse(forms.first, 0),))
        )
        assert bare == nothing
    finally:
        engine.unload()


def test_10_a_library_that_a_folder_names_is_never_loaded(folder: Path) -> None:
    config = json.loads((folder / "genai_config.json").read_bytes())
    config["model"]["decoder"]["session_options"]["custom_ops_library"] = str(folder / "evil.so")
    (folder / "genai_config.json").write_text(json.dumps(config))
    with pytest.raises(WorkbenchError, match="custom_ops_library") as refused:
        OnnxEngine(folder, context_length=64, threads=1)
    assert refused.value.code == "model-damaged"


@pytest.mark.parametrize("file", ["model.onnx", "model.onnx.data", "tokenizer.json"])
def test_E17_a_damaged_folder_is_refused(folder: Path, file: str) -> None:
    (folder / file).write_bytes((folder / file).read_bytes()[:1000])
    with pytest.raises(WorkbenchError, match=r"small-onnx|model\.onnx") as refused:
        OnnxEngine(folder, context_length=64, threads=1)
    assert refused.value.code in ("model-damaged", "model-unreadable")
