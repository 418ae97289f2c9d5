"""Code that a model, a tokenizer or an adapter brings along: it never runs, whatever names it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peft_schemas.errors import WorkbenchError

pytestmark = pytest.mark.model
CODE = """\
import pathlib
pathlib.Path({marker!r}).touch()
class Planted: pass
"""
AUTO_MAP = {
    "AutoConfig": "planted.Planted",
    "AutoModel": "planted.Planted",
    "AutoModelForCausalLM": "planted.Planted",
    "AutoTokenizer": ["planted.Planted", "planted.Planted"],
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    from tests.integration.serving.engines.tiny import write_base

    folder = tmp_path_factory.mktemp("clean") / "tiny"
    write_base(folder, model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct")
    return folder


@pytest.fixture
def planted(clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with code in it, which is also where the process works and looks for modules."""
    folder = tmp_path / "tiny"
    shutil.copytree(clean, folder)
    marker = tmp_path / "marker"
    (folder / "planted.py").write_text(CODE.format(marker=str(marker)))
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    assert not marker.exists()


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def says_something(folder: Path) -> bool:
    from peft_engine.inference.transformers import TransformersEngine
    from tests.integration.serving.engines.asking import answer, request

    engine = TransformersEngine(folder, context_length=128, threads=1)
    try:
        return answer(engine, request("Hello."))[0].completion_tokens > 0
    finally:
        engine.unload()


def test_a_known_family_is_computed_by_the_library(planted: Path) -> None:
    change(planted / "config.json", auto_map=AUTO_MAP)
    change(planted / "tokenizer_config.json", auto_map=AUTO_MAP, tokenizer_class="PreTrainedTokenizerFast")

    assert says_something(planted)


@pytest.mark.parametrize("family", ["planted", "../planted", "planted.Planted"])
def test_a_family_that_only_its_code_knows_is_refused(planted: Path, family: str) -> None:
    change(planted / "config.json", auto_map=AUTO_MAP, model_type=family)
    with pytest.raises(WorkbenchError) as refused:
        says_something(planted)
    assert refused.value.code == "model-unreadable"
    assert (
        "Code that a model brings along" in refused.value.remedy
        or "code that a model brings along" in refused.value.remedy
    )


def test_a_tokenizer_that_only_its_code_knows_does_not_run(planted: Path) -> None:
    change(planted / "tokenizer_config.json", auto_map=AUTO_MAP, tokenizer_class="Planted")
    try:
        assert says_something(planted)
    except WorkbenchError as refused:
        assert refused.code == "model-unreadable"


def test_a_kernel_that_the_config_names_is_not_fetched(planted: Path) -> None:
    change(planted / "config.json", _attn_implementation="planted/planted", attn_implementation="planted/planted")

    assert says_something(planted)


def test_an_adapter_that_names_a_module_is_refused_before_it_is_imported(planted: Path, tmp_path: Path) -> None:
    from peft_engine.inference.transformers import TransformersEngine
    from tests.integration.serving.engines.asking import answer, request
    from tests.integration.serving.engines.tiny import write_adapter

    adapter = write_adapter(planted, tmp_path / "adapter", seed=1)
    engine = TransformersEngine(planted, context_length=128, threads=1)
    change(adapter / "adapter_config.json", megatron_config={"a": 1}, megatron_core="planted")
    with pytest.raises(WorkbenchError) as refused:
        engine.open(request("Hello.", adapter))
    assert refused.value.code == "not-supported"
    # Named alone it is never asked for.
    change(adapter / "adapter_config.json", megatron_config=None, auto_mapping={"parent_library": "planted"})
    assert answer(engine, request("Hello.", adapter))[0].completion_tokens > 0
    engine.unload()
