"""E33: models declared by files."""

import json
import shutil
from pathlib import Path

import pytest

from peft_engine.catalog import find_servable, list_servable
from peft_engine.home import home, models_dir
from peft_engine.library.definitions import read_definitions, write_definition
from peft_engine.library.scan import scan
from peft_engine.library.workspaces import announce
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelDefinition, SamplingDefaults
from tests.unit.library.layouts import write_gguf

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def define(name: str, text: str) -> Path:
    models_dir().mkdir(parents=True, exist_ok=True)
    path = models_dir() / name
    path.write_text(text)
    return path


def test_E33_a_file_that_appears_is_a_model_at_once(tmp_path: Path) -> None:
    assert "notes" not in [model.id for model in list_servable()]
    lora = write_gguf(tmp_path / "lora.gguf", kind="adapter")
    path = define(
        "notes.yaml",
        f"""
model: {SMOL}
adapters:
  - {{adapter: {lora}, scale: 0.5}}
sampling: {{temperature: 0.3, top_p: 0.9}}
template: "{{{{ messages }}}}"
context_length: 1024
pin: true
""",
    )

    model = find_servable("notes")
    assert [(adapter.path, adapter.scale) for adapter in model.adapters] == [(lora, 0.5)]
    assert model.sampling == SamplingDefaults(temperature=0.3, top_p=0.9)
    assert (model.template, model.context_length, model.pinned) == ("{{ messages }}", 1024, True)
    assert model.definition == path
    assert model in list_servable()

    path.unlink()
    with pytest.raises(WorkbenchError):
        find_servable("notes")


def test_E33_a_base_is_a_path_beside_the_file_or_an_id_of_the_library(machine: Path) -> None:
    weights = write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    scan()
    define("by-id.yaml", "model: pub/repo/tiny\n")
    models_dir().joinpath("beside").mkdir()
    shutil.copy(weights, models_dir() / "beside/own.gguf")
    define("by-path.yaml", "id: team/own\nmodel: beside/own.gguf\n")

    assert find_servable("by-id").weights == weights
    assert find_servable("by-id").base == "pub/repo/tiny"
    assert find_servable("team/own").weights == models_dir() / "beside/own.gguf"


def test_E33_a_base_is_a_model_that_was_added(tmp_path: Path) -> None:
    weights = write_gguf(tmp_path / "mine.gguf")
    lora = write_gguf(tmp_path / "lora.gguf", kind="adapter")
    define("mine.yaml", f"model: {weights}\n")
    define("warm.yaml", "model: mine\nsampling: {temperature: 1.5}\n")
    define("tuned.yaml", f"model: mine\nadapters: [{{adapter: {lora}}}]\n")
    define("again.yaml", "model: tuned\n")
    define("here.yaml", "model: there\n")
    define("there.yaml", "model: here\n")

    assert find_servable("warm").weights == weights
    # One copy in memory serves both.
    assert find_servable("warm").base == find_servable("mine").base == find_servable("tuned").base
    assert find_servable("warm").sampling.temperature == 1.5
    with pytest.raises(WorkbenchError, match="tuned has adapters, so it is no base"):
        find_servable("again")
    with pytest.raises(WorkbenchError):
        find_servable("here")


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("model: x\n\ntemperature: 1\n", 3, "temperature"),
        ("model: x\nsampling:\n  top_p: 7\n", 3, "sampling.top_p"),
        ("model: x\npin: maybe\n", 2, "pin"),
        ("modle: x\nmodel: x\n", 1, "modle: there is no such key."),
        ("pin: false\n", 1, "model: it is missing."),
        ("model: x\nadapters:\n  - adapter: a-1\n  - adapter: b-1\n    scale: 9\n", 5, "adapters.1.scale"),
        ("model: x\nprompt_format: morse\n", 2, "chatml"),
        ("model: x\nprompt_format: chatml\ntemplate: y\n", 3, "already"),
        ("model: x\nid: ../../etc/passwd\n", 2, "id"),
        ("model: x\n  bad: [\n", 2, "mapping values"),
        ("pin: true\n", 1, "model"),
        ("- a\n", 1, "the whole file"),
        ("", None, "the whole file"),
        ("model: !!python/object:os.system x\n", 1, "could not determine a constructor"),
        ("a: &a [x]\nmodel: *b\n", 2, "undefined alias"),
    ],
)
def test_E33_a_bad_file_is_told_with_its_line_and_the_others_load(text: str, line: int | None, part: str) -> None:
    define("good.yaml", f"model: {SMOL}\n")
    bad = define("bad.yaml", text)

    found, faults = read_definitions()
    assert [defined.id for defined in found] == ["good"]
    fault = faults[0]
    assert (fault.path, fault.range and fault.range.start.line + 1) == (str(bad), line)
    assert part in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "model: x\n«temperature»: 1\n«pim»: true\n",
        "model: x\nsampling: {top_p: «7», temperature: «hot»}\n",
        "model: x\nadapters:\n  - {adapter: '🙂', scale: «9.5»}\n",
        "model: x\nprompt_format: «morse»\n«template»: y\n",
        "«pin: true»\n",
    ],
)
def test_E33_each_fault_of_a_file_has_its_exact_place(text: str) -> None:
    marked = [line.split("«") for line in text.splitlines()]
    expected = {
        (number, _units("".join(parts[: place + 1]).replace("»", "")), _units(part.partition("»")[0]))
        for number, parts in enumerate(marked)
        for place, part in enumerate(parts[1:])
    }
    define("bad.yaml", text.replace("«", "").replace("»", ""))
    ranges = [fault.range for fault in read_definitions()[1]]
    found = {(one.start.line, one.start.character, one.end.character - one.start.character) for one in ranges if one}
    assert found == expected


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_E33_a_file_that_is_no_text_takes_no_other_down() -> None:
    define("good.yaml", f"model: {SMOL}\n")
    define("bad.yaml", "").write_bytes(b"\xff\xfe\x00")
    define("deep.yaml", "[" * 1_500)

    found, faults = read_definitions()
    assert [defined.id for defined in found] == ["good"]
    assert len(faults) == 2


def test_E33_bytes_that_are_no_text_are_told_in_words() -> None:
    define("bytes.yaml", "").write_bytes(b"model: \xff\n")
    assert [fault.message for fault in read_definitions()[1]] == ["It is no text in UTF-8."]


def test_E33_an_id_is_defined_once() -> None:
    define("a.yaml", f"id: same\nmodel: {SMOL}\n")
    define("b.yaml", f"id: same\nmodel: {SMOL}\n")
    found, (fault,) = read_definitions()
    assert [defined.path.name for defined in found] == ["a.yaml"]
    assert "a.yaml already" in fault.message


def test_E33_a_definition_whose_base_is_gone_takes_no_other_down() -> None:
    define("lost.yaml", "model: gone.gguf\n")
    define("good.yaml", f"model: {SMOL}\n")
    assert [model.id for model in list_servable()] == [SMOL, "good"]
    with pytest.raises(WorkbenchError, match="There is no model at"):
        find_servable("lost")


def test_a_definition_that_is_written_is_read_as_the_same() -> None:
    wanted = ModelDefinition(model=SMOL, sampling=SamplingDefaults(top_k=3), pin=True)
    path = write_definition("my model", wanted)
    assert path.name == "my-model.yaml"
    (defined,), _ = read_definitions()
    assert defined.definition == wanted
    with pytest.raises(WorkbenchError, match="already"):
        write_definition("my model", wanted)


def test_E32_a_definition_may_name_the_format_of_a_family() -> None:
    define("mine.yaml", f"model: {SMOL}\nprompt_format: alpaca\n")
    assert "### Instruction" in (find_servable("mine").template or "")


def test_E33_definitions_of_a_workspace_count_while_its_editor_runs(tmp_path: Path) -> None:
    folder = tmp_path / "project/.peft/models"
    folder.mkdir(parents=True)
    (folder / "ours.yaml").write_text(f"model: {SMOL}\n")
    announce([tmp_path / "project"])
    assert [defined.id for defined in read_definitions()[0]] == ["ours"]
    define("ours.yaml", f"model: {SMOL}\n")
    found, (fault,) = read_definitions()
    assert [defined.path.parent for defined in found] == [models_dir()]
    assert fault.path == str(folder / "ours.yaml")

    record = next((home() / "workspaces").iterdir())
    record.write_text(json.dumps(json.loads(record.read_text()) | {"started": 1.0}))
    assert [defined.path.parent for defined in read_definitions()[0]] == [models_dir()]
    assert read_definitions()[1] == []
    assert not record.exists()


def test_E33_a_workspace_cannot_link_its_definitions_from_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "theirs.yaml").write_text(f"model: {SMOL}\n")
    (tmp_path / "project/.peft").mkdir(parents=True)
    (tmp_path / "project/.peft/models").symlink_to(elsewhere)
    announce([tmp_path / "project"])
    assert read_definitions() == ([], [])
