"""Document links."""

from pathlib import Path

import pytest

from peft_daemon.language.features.links import document_links, newest_run, resolve
from tests.unit.language.features.marked import opened, saved, shown

TEXT = """\
name: demo
profile: chatbot
model: {base: org/m-1.5}
datasets:
  - path: org/data
  - path: data/a.jsonl
  - path: gone.csv
"""


@pytest.fixture
def links(tmp_path: Path, _home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    saved("{}", tmp_path / "data" / "a.jsonl")
    document = opened(TEXT, tmp_path / "a.peft.yaml")
    return {shown(document, link["range"]): link for link in document_links(document)}


def test_hub_ids_lead_to_their_pages(links: dict[str, dict]) -> None:
    assert links["org/m-1.5"]["target"] == "https://huggingface.co/org/m-1.5"
    assert links["org/data"]["target"] == "https://huggingface.co/datasets/org/data"


def test_another_hub_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example/")
    (link,) = document_links(opened("model: {base: org/m}"))
    assert link["target"] == "https://hub.example/org/m"


def test_files_are_looked_for_when_a_link_is_resolved(links: dict[str, dict], tmp_path: Path) -> None:
    assert "target" not in links["data/a.jsonl"]
    assert resolve(links["data/a.jsonl"])["target"] == (tmp_path / "data" / "a.jsonl").as_uri()
    assert resolve(links["chatbot"])["target"].endswith("/profiles/chatbot.yaml")
    assert "target" not in resolve(links["gone.csv"])


def test_the_name_leads_to_the_newest_run_when_there_is_one(links: dict[str, dict], _home: Path) -> None:
    assert "target" not in resolve(links["demo"])
    for run in ("demo-2", "demo-10", "demo-x-11", "demonstration-12"):
        saved("", _home / "runs" / run / "events.jsonl")
    assert newest_run("demo") == _home / "runs" / "demo-10"
    assert resolve(links["demo"])["target"] == (_home / "runs" / "demo-10" / "events.jsonl").as_uri()


def test_texts_that_are_no_ids_have_no_link() -> None:
    assert document_links(opened("model: {base: 'a b c'}\ndatasets: [{path: 'x y'}]")) == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"run": 3},
        {"kind": "x", "text": "y", "folder": None},
        {"kind": "dataset", "text": "/\0", "folder": "/"},
        "x",
    ],
)
def test_a_link_with_other_data_stays_as_it_is(data: object) -> None:
    link = {"range": {}, "data": data}
    assert resolve(link) == link
