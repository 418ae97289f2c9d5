"""Going to the definition, finding references and highlights."""

from pathlib import Path

import pytest

from peft_daemon.language.features.definition import definition
from peft_daemon.language.features.highlight import highlights
from peft_daemon.language.features.references import references
from peft_daemon.lsp.kinds import DocumentHighlightKind
from tests.property.strategies import SNIPPETS
from tests.unit.language.features.marked import MARK, at, opened, saved, shown

ANCHORED = """\
lora: &😀a {r: 8} # &b is said here
text: "&c and *😀a"
method:
  <<: *😀a
other: *😀a
again: &😀a 3
last: [*😀a, *none]
"""


def test_an_alias_leads_to_the_nearest_anchor_of_its_name_before_it() -> None:
    for marked, line in (("<<: *😀¦a\n", 0), ("other: ¦*😀a", 0), ("[*😀a¦, ", 5)):
        document, position = at(ANCHORED.replace(marked.replace(MARK, ""), marked))
        (link,) = definition(document, position)
        assert shown(document, link["targetSelectionRange"]) == "&😀a"
        assert link["targetSelectionRange"]["start"]["line"] == line
        assert shown(document, link["originSelectionRange"]) == "*😀a"


def test_a_merge_key_leads_to_all_that_it_merges() -> None:
    document, position = at("a: &a {r: 1}\nb: &b {alpha: 2}\nmethod:\n  ¦<<: [*b, *a]\n")
    assert [shown(document, link["targetRange"]) for link in definition(document, position)] == ["&b", "&a"]


def test_A16_profile_template_and_preset_lead_to_their_files(tmp_path: Path, _home: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "mine.yaml").write_text("values: {}\n")
    names = {"profile: chat¦bot": "chatbot.yaml", "template: ¦lora_finetuning": "lora_finetuning.yaml"}
    for marked, file in {**names, "preset: 'mine¦'": "mine.yaml"}.items():
        document, position = at(f"version: 1\n{marked}\n", tmp_path / "run.peft.yaml")
        (link,) = definition(document, position)
        assert link["targetUri"].startswith("file://")
        assert Path(link["targetUri"].removeprefix("file://")).is_file()
        assert link["targetUri"].endswith(f"/{file}")


def test_A16_a_dataset_a_template_and_a_model_lead_to_their_files(tmp_path: Path) -> None:
    for name in ("data/tr 😀.jsonl", "chat.jinja", "base/config.json", "held.csv"):
        saved("{}", tmp_path / name)
    text = (
        "model: {base: ./base, chat_template: chat.jinja}\r\n"
        'datasets:\r\n  - path: "data/tr 😀.jsonl"\r\nevaluation: {datasets: [{path: held.csv}]}\r\n'
    )
    for written, file in (
        ("./base", "base/config.json"),
        ("chat.jinja", "chat.jinja"),
        ("data/tr 😀.jsonl", "data/tr 😀.jsonl"),
        ("held.csv", "held.csv"),
    ):
        document, position = at(text.replace(written, written[:2] + MARK + written[2:]), tmp_path / "run.peft.yaml")
        (link,) = definition(document, position)
        assert link["targetUri"] == (tmp_path / file).as_uri()
        assert shown(document, link["originSelectionRange"]).strip('"') == written


@pytest.mark.parametrize(
    "marked",
    ["profile: cha¦t", "datasets: [{path: ab¦sent.jsonl}]", "model: {base: org/m¦odel}", "preset: ../¦x", "name: a¦"],
)
def test_what_leads_nowhere_has_no_definition(tmp_path: Path, marked: str) -> None:
    document, position = at(marked, tmp_path / "run.peft.yaml")
    assert definition(document, position) == []


def test_references_are_the_aliases_of_the_anchor_and_the_anchor_when_asked() -> None:
    document, position = at(ANCHORED.replace("&😀a {", "&😀¦a {"))
    for declaration in (True, False):
        found = references(document, position, [document], declaration=declaration)
        lines = [location["range"]["start"]["line"] for location in found]
        assert lines == ([0, 3, 4] if declaration else [3, 4])


def test_references_of_a_file_are_all_configs_that_name_it_however_they_write_it(tmp_path: Path) -> None:
    saved("{}", tmp_path / "data" / "a.jsonl")
    here, position = at("datasets: [{path: data/a¦.jsonl}]", tmp_path / "a.peft.yaml")
    others = [
        opened("p: &p {path: ../data/a.jsonl}\ndatasets: [*p]", tmp_path / "sub" / "b.peft.yaml"),
        opened(f"evaluation: {{datasets: [{{path: {tmp_path}/data/a.jsonl}}]}}", tmp_path / "c.peft.yaml"),
        opened("datasets: [{path: data/a.jsonl}]", tmp_path / "sub" / "d.peft.yaml"),
        opened("datasets: [{path: data/a.jsonl", tmp_path / "broken.peft.yaml"),
    ]
    found = references(here, position, [here, *others], declaration=True)
    names = [location["uri"].rsplit("/", 1)[1] for location in found]
    assert names[:3] == ["a.peft.yaml", "b.peft.yaml", "c.peft.yaml"]
    assert "d.peft.yaml" not in names


def test_references_of_a_hub_id_are_the_configs_that_start_from_it(tmp_path: Path) -> None:
    here, position = at("model: {base: org/¦m}\ndatasets: [{path: org/m}]", tmp_path / "a.peft.yaml")
    other = opened("model: {base: 'org/m'}", tmp_path / "b.peft.yaml")
    found = references(here, position, [here, other], declaration=True)
    assert [location["uri"] for location in found] == [here.uri, other.uri]
    assert shown(other, found[1]["range"]) == "'org/m'"


def test_references_of_a_profile_are_the_configs_that_use_it() -> None:
    here, position = at("profile: chat¦bot")
    others = [opened("profile: chatbot"), opened("profile: summarization"), opened("name: chatbot")]
    assert len(references(here, position, [here, *others], declaration=True)) == 2


def test_an_anchor_is_highlighted_as_written_and_its_aliases_as_read() -> None:
    document, position = at(ANCHORED.replace("other: *", "other: *¦"))
    found = [(shown(document, one["range"]), one["kind"]) for one in highlights(document, position)]
    read, write = DocumentHighlightKind.Read, DocumentHighlightKind.Write
    assert found == [("&😀a", write), ("*😀a", read), ("*😀a", read)]


def test_values_that_name_the_same_file_are_highlighted_together() -> None:
    document, position = at("datasets:\n- path: a¦.csv\n- path: ./a.csv\n- path: b.csv\n")
    assert [shown(document, one["range"]) for one in highlights(document, position)] == ["a.csv", "./a.csv"]


@pytest.mark.parametrize("text", [*SNIPPETS, "a: &a [*a", "a: &a\n<<: *a", "&a", "*a", "- &a\n- *a\n", "? &a b\n: *a"])
def test_odd_texts_have_answers(text: str) -> None:
    document = opened(text)
    for character in range(8):
        position = {"line": 0, "character": character}
        definition(document, position)
        highlights(document, position)
        references(document, position, [document], declaration=True)
