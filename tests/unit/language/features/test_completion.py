"""What completion offers when the model, the data and the user's own presets are known."""

from pathlib import Path

import pytest

from peft_daemon.language.binding import bind
from peft_daemon.language.context import NOTHING_KNOWN, CheckContext, DatasetFact
from peft_daemon.language.features.completion import complete, documentation
from peft_daemon.language.revision import apply_edits
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import parse
from peft_engine.config.schema import walk
from peft_engine.config.text import SourceText
from peft_schemas.findings import Position, Range, TextEdit
from tests.unit.language.test_figures import MODEL

BASE = "version: 1\nmodel:\n  base: org/m\n"
WORLD = CheckContext(
    data_files=("a.jsonl", "data/b.jsonl"),
    model=MODEL,
    datasets={"a.jsonl": DatasetFact(10, "messages", ("messages", "id"))},
    preset_names=("mine", "yours"),
)


def subject(text: str, context: CheckContext) -> Subject:
    document = parse(SourceText(text))
    return Subject(document, bind(document), context)


def items(marked: str, context: CheckContext = WORLD, file: Path | None = None):
    """The items at the mark, in the order in which an editor shows them."""
    text = marked.replace("|", "", 1)
    found = complete(subject(text, context), marked.index("|"), snippets=False, file=file)
    return sorted(found, key=lambda item: item["sortText"])


def labels(marked: str, context: CheckContext = WORLD) -> list[str]:
    return [item["label"] for item in items(marked, context)]


def completed(marked: str, label: str) -> str:
    """The text after an item was taken."""
    (edit,) = [item["textEdit"] for item in items(marked) if item["label"] == label]
    start, end = (Position(**edit["range"][end]) for end in ("start", "end"))
    source = SourceText(marked.replace("|", "", 1))
    return apply_edits(source, [TextEdit(range=Range(start=start, end=end), newText=edit["newText"])])


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("method:\n  target_modules: |\n", ["all-linear"]),
        ("method:\n  <<: {target_modules: |}\n", ["all-linear"]),
        ("method: {<<: [{r: 8}, {target_modules: |", ["all-linear"]),
        ("method:\n  target_modules: [|]\n", ["down_proj", "q_proj"]),
        ("method:\n  target_modules: [q_proj, |]\n", ["down_proj"]),
        ("method: {target_modules: [|", ["down_proj", "q_proj"]),
        ("method:\n  target_modules:\n    - |\n", ["down_proj", "q_proj"]),
        ("method:\n  target_modules:\n    - q_proj\n    - d|\n", ["down_proj"]),
        ("method:\n  target_modules:\n    |\n", ["down_proj", "q_proj"]),
        ("method:\n  modules_to_save: [|]\n", ["embed_tokens", "lm_head", "down_proj", "q_proj"]),
        ("datasets:\n  - path: |\n", ["a.jsonl", "data/b.jsonl"]),
        ("evaluation:\n  datasets:\n    - path: |\n", ["a.jsonl", "data/b.jsonl"]),
        ("datasets:\n  - path: a.jsonl\n    columns:\n      messages: |\n", ["messages", "id"]),
        ("datasets:\n  - path: other.jsonl\n    columns:\n      messages: |\n", []),
        ("datasets:\n  - path: a.jsonl\n    split: |\n", ["train", '"train[:10%]"', '"[:1000]"']),
        ("preset: |\n", ["mine", "yours"]),
        ("method:\n  type: full\n  |\n", []),
        ("profile: summarization\ntraining:\n  batch_size: |\n", ["2", "4"]),
        ("training:\n  packing: |\n", ["false", "true"]),
    ],
)
def test_A11_values_come_from_the_real_model_data_and_presets(marked: str, expected: list[str]) -> None:
    assert labels(marked) == expected


def test_what_is_not_known_is_not_offered() -> None:
    assert labels("method:\n  target_modules: [|]\n", NOTHING_KNOWN) == []


def test_an_item_of_a_list_brings_its_dash_where_there_is_none() -> None:
    assert completed("method:\n  target_modules:\n    |\n", "q_proj").endswith("    - q_proj\n")
    assert completed("method:\n  target_modules:\n    - |\n", "q_proj").endswith("    - q_proj\n")
    assert completed("method:\n  target_modules: [a, |]\n", "q_proj").endswith("[a, q_proj]\n")


def test_the_facts_of_a_key_are_plain_text() -> None:
    details = {item["label"]: item["detail"] for item in items("training:\n  |\n")}
    assert details["packing"] == "true or false · default false"


def test_a_listed_value_has_a_few_words(home: Path) -> None:
    details = {item["label"]: item["detail"] for item in items("training:\n  optimizer: |\n")}
    assert details["adamw"] == "the usual choice, the default"
    assert details["sgd"].startswith("no state at all")


def test_base_models_of_this_machine_are_offered(home: Path, tmp_path: Path, monkeypatch) -> None:
    (home / "models" / "org--made").mkdir(parents=True)
    (home / "models" / "file--x").mkdir()
    (tmp_path / "hub" / "models--org--fetched").mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "near.gguf").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "config.json").touch()
    context = CheckContext(folder=tmp_path)
    found = {item["label"]: item["detail"] for item in items("model:\n  base: |\n", context)}
    assert found == {
        "HuggingFaceTB/SmolLM2-135M-Instruct": "Apache-2.0, known offline",
        "near.gguf": "beside this file",
        "./folder": "beside this file",
        "org/made": "prepared on this machine",
        "org/fetched": "in the hub's cache",
    }


def test_A12_the_words_beside_an_offered_key_say_what_it_is_left_out() -> None:
    known = subject(f"{BASE}profile: summarization\n", WORLD)
    text = documentation(known, "training.batch_size")
    assert text is not None
    assert "Examples in one forward and backward pass" in text
    assert "Left out, it is `2`, from the profile summarization." in text
    assert "- *batch*" not in text.split("---")[0]
    for path, key in walk():
        assert key.description in (documentation(known, path) or ""), path
    assert documentation(known, "no.such") is None
