"""What is listed is what can be served, as the files are now."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from peft_engine.catalog import CONTEXT_LIMIT, AdapterChoice, find_servable, list_servable
from peft_engine.rundir import RunDirectory, create_run_directory
from peft_engine.rundir.directory import now
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import StateFile

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def completed(name: str, base: str = SMOL, *, source: Path = Path("/nowhere/x.peft.yaml")) -> RunDirectory:
    run = create_run_directory(name)
    run.resolved.write_text(json.dumps({"config": {"model": {"base": base}}, "source": str(source)}))
    run.gguf.write_bytes(b"GGUF")
    time = now()
    state = StateFile(
        run_id=run.id,
        name=name,
        state="completed",
        pid=None,
        started=None,
        created=time,
        updated=time,
        base=base,
        config_path=str(source),
        step=1,
        total_steps=1,
    )
    run.write_state(state)
    run.write_manifest({})
    return run


def ids() -> list[str]:
    return [model.id for model in list_servable()]


def test_a_known_base_is_listed_with_what_it_can_do() -> None:
    (base,) = list_servable()

    assert base.id == base.base == SMOL
    assert base.label == "SmolLM2-135M-Instruct"
    assert base.context_length == CONTEXT_LIMIT
    assert base.capabilities == {"chat"}
    assert base.adapters == ()
    assert (base.format, base.quantization, base.architecture) == ("gguf", "Q4_1", "llama")
    assert base.parameters == 134_515_008
    assert base.size_bytes == base.weights.stat().st_size
    assert base.source == "package"


def test_a_run_is_listed_from_the_moment_its_manifest_is_there() -> None:
    run = completed("notes")
    run.manifest.rename(run.path / "aside")
    assert ids() == [SMOL]

    (run.path / "aside").rename(run.manifest)
    assert ids() == [SMOL, f"{SMOL}:notes-1"]
    assert find_servable(f"{SMOL}:notes-1").adapters == (AdapterChoice("notes-1", run.gguf),)

    shutil.rmtree(run.path)
    assert ids() == [SMOL]


def test_bases_come_first_and_adapters_newest_first() -> None:
    import os

    for age, name in enumerate(["old", "older", "oldest"]):
        os.utime(completed(name).manifest, (1e9 - age, 1e9 - age))

    assert ids() == [SMOL, f"{SMOL}:old-1", f"{SMOL}:older-1", f"{SMOL}:oldest-1"]


def test_a_base_given_as_a_path_is_relative_to_the_config(tmp_path: Path) -> None:
    shutil.copy(find_servable(SMOL).weights, tmp_path / "mine.gguf")
    completed("local", "mine.gguf", source=tmp_path / "x.peft.yaml")

    assert ids() == [SMOL, "mine.gguf", "mine.gguf:local-1"]
    assert find_servable("mine.gguf:local-1").weights == tmp_path / "mine.gguf"
    assert find_servable("mine.gguf").weights == tmp_path / "mine.gguf"


@pytest.mark.parametrize(
    ("model_id", "code"),
    [
        ("nobody/nothing", "model-missing"),
        (f"{SMOL}:none-1", "model-missing"),
        (f"{SMOL}:../../etc", "model-missing"),
        ("other/base:notes-1", "model-missing"),
        (":notes-1", "model-missing"),
        ("notes-1", "model-missing"),
        ("", "model-missing"),
        (f"{SMOL}:gone-1", "adapter-missing"),
        ("/etc/passwd", "model-missing"),
        ("../../secret.gguf", "model-missing"),
    ],
)
def test_an_id_that_is_not_served_is_a_sentence(model_id: str, code: str) -> None:
    completed("notes")
    completed("gone").gguf.unlink()

    with pytest.raises(WorkbenchError) as error:
        find_servable(model_id)
    assert error.value.code == code


def test_an_adapter_that_llama_cpp_cannot_load_is_not_called_missing() -> None:
    run = completed("dora")
    run.gguf.unlink()
    run.adapter.mkdir()
    with pytest.raises(WorkbenchError, match=r"no form that llama\.cpp can load") as error:
        find_servable(f"{SMOL}:dora-1")
    assert error.value.code == "adapter-missing"


def test_a_run_whose_config_is_damaged_is_not_listed() -> None:
    completed("notes").resolved.write_text("{")

    assert ids() == [SMOL]


def test_a_base_without_a_gguf_file_is_not_servable(tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    run = completed("plain", str(folder))

    assert ids() == [SMOL]
    with pytest.raises(WorkbenchError, match="neither a GGUF file") as error:
        find_servable(f"{folder}:{run.id}")
    assert error.value.code == "base-not-servable"


def test_adapters_are_scaled_and_combined_by_the_id() -> None:
    first, second = completed("first"), completed("second")

    half = find_servable(f"{SMOL}:first-1@0.5")
    assert half.adapters == (AdapterChoice("first-1", first.gguf, 0.5),)
    assert half.run_id == "first-1"

    both = find_servable(f"{SMOL}:first-1+second-1@0.25")
    assert both.adapters == (
        AdapterChoice("first-1", first.gguf),
        AdapterChoice("second-1", second.gguf, 0.25),
    )
    assert both.id == f"{SMOL}:first-1+second-1@0.25"
    assert both.run_id is None


@pytest.mark.parametrize("scale", ["3", "-0.5", "big", "nan", ""])
def test_a_scale_that_is_none_is_refused_by_name(scale: str) -> None:
    completed("notes")
    with pytest.raises(WorkbenchError, match=f"scale '{scale}'"):
        find_servable(f"{SMOL}:notes-1@{scale}")


def hub_folder(folder: Path) -> Path:
    """Save a base of one tiny matrix, as transformers would."""
    folder.mkdir()
    config = {"model_type": "llama", "max_position_embeddings": 512}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }} {{ tools }}"}))
    save_file({"model.embed_tokens.weight": np.zeros((4, 2), np.float32)}, folder / "model.safetensors")
    return folder


def test_an_adapter_in_pefts_form_is_served_from_a_folder_of_its_base(tmp_path: Path) -> None:
    base = hub_folder(tmp_path / "base")
    run = completed("dora", str(base))
    run.gguf.unlink()
    run.adapter.mkdir()

    model = find_servable(f"{base}:dora-1")
    assert (model.format, model.weights) == ("safetensors", base)
    assert model.adapters == (AdapterChoice("dora-1", run.adapter),)
    assert (model.context_length, model.parameters, model.quantization) == (512, 8, "float32")
    assert model.capabilities == {"chat", "tools"}
    assert ids() == [str(base), SMOL, f"{base}:dora-1"]


def test_the_model_of_a_full_run_is_served_without_an_adapter(tmp_path: Path) -> None:
    base = hub_folder(tmp_path / "base")
    run = completed("full", str(base))
    run.gguf.unlink()
    hub_folder(run.model)

    model = find_servable(f"{base}:full-1")
    assert (model.weights, model.adapters, model.run_id) == (run.model, (), "full-1")


def test_adapters_of_different_files_are_not_combined(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(find_servable(SMOL).weights, tmp_path / name / "mine.gguf")
        completed(name, "mine.gguf", source=tmp_path / name / "x.peft.yaml")

    with pytest.raises(WorkbenchError, match="different files") as error:
        find_servable("mine.gguf:one-1+two-1")
    assert error.value.code == "not-supported"
