"""The library as it is shown: filtered, added to, taken off; no file of a model is touched."""

import json
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.cli.main import main
from peft_daemon.cli.output import out
from peft_daemon.models.changing import add_model, remove_model
from peft_daemon.models.listing import find_model, list_models, meets
from peft_engine.home import home, models_dir
from peft_engine.library.scan import scan
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelCapability, ModelEntry, ModelFacts, ModelFormat, ModelQuery, ModelSource
from tests.property.strategies import examples
from tests.unit.library.layouts import write_folder, write_gguf
from tests.unit.serving.test_catalog import SMOL, completed

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
FORMATS: list[ModelFormat] = ["gguf", "safetensors"]
SOURCES: list[ModelSource] = ["huggingface", "ollama", "lm-studio", "folder", "added"]
CAPABILITIES: list[ModelCapability] = ["chat", "tools", "infill", "embeddings", "vision"]

CATALOGUE = [
    ModelEntry(
        id=f"{'Org' if number % 2 else 'team'}/model-{number}",
        source=SOURCES[number % 5],
        path=f"/m/{number}",
        base=None,
        facts=None
        if number % 17 == 0
        else ModelFacts(
            format=FORMATS[number % 3 == 0],
            size_bytes=number * 10**8,
            capabilities=[one for place, one in enumerate(CAPABILITIES) if number >> place & 1],
        ),
    )
    for number in range(50)
]

QUERIES = st.builds(
    ModelQuery,
    formats=st.lists(st.sampled_from(FORMATS), max_size=2),
    sources=st.lists(st.sampled_from(SOURCES), max_size=3),
    capabilities=st.lists(st.sampled_from(CAPABILITIES), max_size=3),
    min_bytes=st.none() | st.integers(0, 6 * 10**9),
    max_bytes=st.none() | st.integers(0, 6 * 10**9),
    text=st.sampled_from(["", "org", "TEAM", "-1", "nothing"]),
)


@examples(200)
@given(QUERIES)
def test_E29_filters_against_fifty_models_equal_an_oracle(query: ModelQuery) -> None:
    expected = set()
    for number in range(50):
        usable = number % 17 != 0
        wanted = query.text.lower() in f"{'org' if number % 2 else 'team'}/model-{number}"
        wanted &= not query.sources or SOURCES[number % 5] in query.sources
        wanted &= not query.formats or (usable and ("safetensors" if number % 3 == 0 else "gguf") in query.formats)
        wanted &= not query.capabilities or (
            usable and all(number >> CAPABILITIES.index(one) & 1 for one in query.capabilities)
        )
        wanted &= query.min_bytes is None or (usable and number * 10**8 >= query.min_bytes)
        wanted &= query.max_bytes is None or (usable and number * 10**8 <= query.max_bytes)
        if wanted:
            expected.add(number)

    assert {number for number, model in enumerate(CATALOGUE) if meets(model, query)} == expected


def test_a_base_is_listed_with_the_adapters_on_it() -> None:
    completed("notes")
    (model,) = list_models(ModelQuery()).models
    assert (model.id, model.base) == (SMOL, SMOL)
    assert [(adapter.id, adapter.run_id) for adapter in model.adapters] == [(f"{SMOL}:notes-1", "notes-1")]


def test_a_run_on_a_models_path_is_listed_below_the_librarys_name_for_it(machine: Path) -> None:
    path = write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    other = write_gguf(machine / "elsewhere/other.gguf")
    scan()
    completed("notes", str(path))
    completed("apart", str(other))

    adapters = {model.id: [one.run_id for one in model.adapters] for model in list_models(ModelQuery()).models}
    assert adapters == {SMOL: [], "pub/repo/tiny": ["notes-1"], str(other): ["apart-1"]}


def test_E28_a_file_that_is_added_is_listed_and_taken_off_without_being_touched(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "elsewhere/my.gguf")
    before = path.read_bytes()

    added = add_model(path)
    assert (added.id, added.source, added.path, added.base) == ("my", "added", str(path), str(path))
    assert add_model(path) == added
    folder = write_folder(tmp_path / "folder")
    (folder / "tokenizer.json").write_text("{}")
    assert add_model(folder, "team/folder").id == "team/folder"

    remove_model("my")
    remove_model("team/folder")
    assert [model.id for model in list_models(ModelQuery()).models] == [SMOL]
    assert path.read_bytes() == before


def test_a_scanned_model_that_was_removed_comes_back_when_it_is_added(machine: Path) -> None:
    path = write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    scan()
    remove_model("pub/repo/tiny")
    scan()
    with pytest.raises(WorkbenchError, match="no model pub/repo/tiny"):
        find_model("pub/repo/tiny")
    assert add_model(path).id == "pub/repo/tiny"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("notes.txt", b"hello", "not-supported"),
        ("weights.bin", pickle.dumps({"weight": [1.0]}), "pickle-refused"),
        ("torn.gguf", b"GGUF\x03\x00\x00\x00", "model-truncated"),
        ("gone.gguf", None, "model-missing"),
    ],
)
def test_E28_what_is_no_model_is_refused(tmp_path: Path, name: str, content: bytes | None, code: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WorkbenchError) as error:
        add_model(tmp_path / name)
    assert error.value.code == code
    assert name in error.value.message
    assert not models_dir().exists()


def test_an_adapter_is_not_added_as_a_model(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="adapter, not a model"):
        add_model(write_gguf(tmp_path / "lora.gguf", kind="adapter"))


@pytest.mark.parametrize(("model_id", "part"), [(SMOL, "already"), ("../x", "cannot be the id"), ("a b", "cannot be")])
def test_an_id_that_is_taken_or_is_none_is_refused(tmp_path: Path, model_id: str, part: str) -> None:
    path = write_gguf(tmp_path / "my.gguf")
    with pytest.raises(WorkbenchError, match=part):
        add_model(path, model_id)


def test_what_others_list_and_what_was_written_by_hand_is_not_removed(tmp_path: Path) -> None:
    models_dir().mkdir(parents=True)
    path = models_dir() / "mine.yaml"
    path.write_text(f"model: {SMOL}\npin: true\n")
    with pytest.raises(WorkbenchError, match="written by hand"):
        remove_model("mine")
    assert path.exists()
    with pytest.raises(WorkbenchError, match="package carries it"):
        remove_model(SMOL)


def test_a_definition_whose_base_is_gone_is_told_beside_the_list() -> None:
    models_dir().mkdir(parents=True)
    (models_dir() / "lost.yaml").write_text("model: gone.gguf\n")
    found = list_models(ModelQuery())
    assert [model.id for model in found.models] == [SMOL]
    assert "gone.gguf" in found.faults[0].message


def _cli(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("sys.argv", ["peftw", *arguments])
        main()
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


def test_the_command_line_lists_adds_shows_and_forgets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_gguf(tmp_path / "my.gguf")
    assert _cli(capsys, "models", "add", str(path)) == (0, "my\n")
    code, text = _cli(capsys, "models", "list", "--json", "--source", "added", "--format", "gguf")
    assert code == 0
    assert [model["id"] for model in json.loads(text)["models"]] == ["my"]
    assert "my" in _cli(capsys, "models", "list")[1]
    assert "12" in _cli(capsys, "models", "show", "my")[1]
    assert _cli(capsys, "models", "remove", "my")[0] == 0
    code, text = _cli(capsys, "models", "show", "my")
    assert code == 1
    assert "no model my" in text
    assert _cli(capsys, "models", "list", "--min-size", "100")[1].startswith("There is no such model")


def test_E29_no_terminal_is_too_narrow_and_no_cell_is_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a-model-with-a-long-name-[draft]-of-forty-two"
    folder = tmp_path / "kept" / name
    folder.mkdir(parents=True)
    write_gguf(folder / "long.gguf")
    (home() / "settings.yaml").write_text(f"models:\n  folders: [{folder.parent}]\n")
    listed = _cli(capsys, "models", "scan")[1].splitlines()
    assert listed[0].split()[:4] == ["model", "source", "format", "size"]
    assert any(line.split()[:3] == [f"{name}/long", "folder", "gguf"] for line in listed)

    monkeypatch.setattr(out, "_force_terminal", True)
    monkeypatch.setattr(out, "width", 80)
    listed = [_ESCAPES.sub("", line) for line in _cli(capsys, "models", "list")[1].splitlines()]
    assert listed[0].split()[0] == "model"
    assert any(line.startswith(f"{name}/long ") for line in listed)
    assert all(len(line) <= 80 and "…" not in line for line in listed)


def test_E23_the_command_line_says_what_keeps_a_model_from_being_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_gguf(tmp_path / "my.gguf")
    assert _cli(capsys, "models", "check", str(path)) == (0, f"{path} can be loaded.\n")
    assert _cli(capsys, "models", "check", str(path), "--json") == (0, "null\n")
    path.write_bytes(path.read_bytes()[:-32])
    code, text = _cli(capsys, "models", "check", str(path), "--json")
    assert (code, json.loads(text)["code"]) == (1, "model-truncated")
