"""What the editor asks about a document: completion, hover, fixes, outline, folding."""

import pytest

from tests.lsp.client import Client
from tests.lsp.test_diagnostics import BAD, GOOD

METHOD_KEYS = ["type", "r", "alpha", "dropout", "target_modules", "modules_to_save", "lora_plus_ratio"]
MODEL_KEYS = [
    "base",
    "revision",
    "dtype",
    "quantization",
    "double_quantization",
    "attention",
    "trust_remote_code",
    "chat_template",
]
SCHEDULERS = [
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "inverse_sqrt",
    "constant",
    "constant_with_warmup",
]
DATASET_KEYS = ["path", "format", "split", "columns", "weight"]


def labels(client: Client, marked: str) -> list[str]:
    return [item["label"] for item in items(client, marked)]


def items(client: Client, marked: str) -> list[dict]:
    """Return the completion items at the mark, in the order in which an editor shows them."""
    before = marked[: marked.index("|")]
    uri = client.open("untitled:completion.peft.yaml", marked.replace("|", "", 1))
    found = client.ask("textDocument/completion", uri, before.count("\n"), len(before) - (before.rfind("\n") + 1))
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return sorted(found, key=lambda item: item["sortText"])


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("version: 1\nmodel:\n  |\n", MODEL_KEYS),
        ("model:\n  base: x\n  dt|\n", MODEL_KEYS[1:]),
        ("method:\n  |type: lora\n  r: 8\n", [key for key in METHOD_KEYS if key != "r"]),
        ("method: {|}\n", METHOD_KEYS),
        ("method: {type: lora, |", METHOD_KEYS[1:]),
        ("method: {\n  type: lora,\n  |\n}\n", METHOD_KEYS[1:]),
        ("datasets:\n  - |", DATASET_KEYS),
        ("datasets:\n  - path: x\n    |\n  - path: y\n", DATASET_KEYS[1:]),
        ("datasets:\n- path: x\n- path: y\n  |", DATASET_KEYS[1:]),
        ("datasets:\n  |", ["path"]),
        ("method:\n  type: |\n", ["lora", "qlora", "dora", "pissa", "rslora", "full"]),
        ("method:\n  type:|\n", ["lora", "qlora", "dora", "pissa", "rslora", "full"]),
        ("training:\n  packing: |\n", ["false", "true"]),
        ("template: |", ["lora_finetuning", "full_finetuning"]),
        ("model:\n  base: |", ["HuggingFaceTB/SmolLM2-135M-Instruct"]),
        ("training:\n  lr_scheduler: co|s\n", SCHEDULERS),
        ("checkpoint:\n  keep: |\n", ["3"]),
        ("# |", []),
        ("name: x # |", []),
        ("unknown:\n  |", []),
        # while something else is broken
        ("name: 'x\nmodel:\n  |\n", MODEL_KEYS),
        ("datasets: [\nmodel:\n  d|\n", MODEL_KEYS),
        ("model:\n\t|", MODEL_KEYS),
        ("a: b: c\nevaluation:\n  split: 0.1\n  |", ["datasets", "every_steps", "batch_size"]),
    ],
)
def test_A11_completion_offers_exactly_this(shared: Client, marked: str, expected: list[str]) -> None:
    assert labels(shared, marked) == expected


def test_required_keys_come_first_and_the_word_under_the_cursor_is_replaced(shared: Client) -> None:
    found = items(shared, "na|me: x\n")
    assert [item["label"] for item in found][:3] == ["version", "model", "datasets"]
    name = next(item for item in found if item["label"] == "name")
    assert name["textEdit"] == {
        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 4}},
        "newText": "name",
    }


def test_a_key_brings_its_values_to_step_through_and_a_section_its_indentation(shared: Client) -> None:
    by_label = {item["label"]: item for item in items(shared, "|")}
    assert by_label["version"]["textEdit"]["newText"] == "version: ${1:1}"
    assert by_label["model"]["textEdit"]["newText"] == "model:\n  $0"
    assert by_label["datasets"]["textEdit"]["newText"] == "datasets:\n  - $0"
    kinds = {item["label"]: item["textEdit"]["newText"] for item in items(shared, "method:\n  |")}
    assert kinds["type"] == "type: ${1|lora,qlora,dora,pissa,rslora,full|}"


def test_A11_any_offered_key_keeps_the_file_readable(client: Client) -> None:
    for marked in (
        "|",
        "model:\n  |\n",
        "datasets:\n  - |\n",
        "method: {type: lora, |}\n",
        "training:\n  seed: 1\n  |\n",
    ):
        for item in items(client, marked):
            edit = item["textEdit"]
            assert "$" not in edit["newText"], "this editor knows no snippets"
            inserted = marked.replace("|", edit["newText"])
            uri = client.open("untitled:inserted.peft.yaml", inserted)
            found = [diagnostic["code"] for diagnostic in client.published(uri, 1)]
            client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            client.published(uri)
            assert not [code for code in found if code.startswith("PW00")], inserted


def test_A12_hover_says_meaning_type_range_default_and_effective_value_with_its_origin(shared: Client) -> None:
    uri = shared.open("untitled:hover.peft.yaml", f"profile: chatbot\n{GOOD}method:\n  r: 64\n  alpha:\n")
    on_key = shared.ask("textDocument/hover", uri, 7, 2)
    text = on_key["contents"]["value"]
    for part in (
        "method.r",
        "whole number",
        "at least 1 and at most 1024",
        "default `16`",
        "rank",
        "`64` (written here)",
    ):
        assert part in text
    assert on_key["range"] == {"start": {"line": 7, "character": 2}, "end": {"line": 7, "character": 3}}
    assert shared.ask("textDocument/hover", uri, 7, 6)["contents"] == on_key["contents"]
    section = shared.ask("textDocument/hover", uri, 6, 0)["contents"]["value"]
    assert "| `r` | `64` | you |" in section
    assert shared.ask("textDocument/hover", uri, 99, 0) is None


def test_a_fix_is_offered_where_its_finding_is_and_repairs_it(shared: Client) -> None:
    uri = shared.open("untitled:fix.peft.yaml", BAD)
    (diagnostic, _) = shared.published(uri)
    cursor = {"line": 6, "character": 5}
    actions = shared.ask(
        "textDocument/codeAction",
        uri,
        range={"start": cursor, "end": cursor},
        context={"diagnostics": [diagnostic], "only": ["quickfix"]},
    )
    preferred = [action for action in actions if action["isPreferred"]]
    assert [action["title"] for action in preferred] == ["Rename to `learning_rate`"]
    assert preferred[0]["diagnostics"] == [diagnostic]
    edits = preferred[0]["edit"]["changes"][uri]
    shared.change(uri, 2, *[{"range": edit["range"], "text": edit["newText"]} for edit in edits])
    assert [diagnostic["code"] for diagnostic in shared.published(uri, 2)] == ["PW103"]
    nowhere = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
    context = {"diagnostics": [], "only": ["quickfix"]}
    assert shared.ask("textDocument/codeAction", uri, range=nowhere, context=context) == []


def test_the_outline_has_every_key(shared: Client) -> None:
    uri = shared.open("untitled:outline.peft.yaml", GOOD)
    outline = shared.ask("textDocument/documentSymbol", uri)
    assert [symbol["name"] for symbol in outline] == ["version", "model", "datasets"]
    (entry,) = outline[2]["children"]
    assert (entry["name"], entry["children"][0]["name"], entry["children"][0]["detail"]) == ("[0]", "path", "org/d")


def test_sections_list_entries_and_comment_blocks_fold(shared: Client) -> None:
    uri = shared.open("untitled:fold.peft.yaml", "# a\n# b\n" + GOOD + "    format: auto\n")
    ranges = shared.ask("textDocument/foldingRange", uri)
    found = [(folding["startLine"], folding["endLine"], folding.get("kind")) for folding in ranges]
    assert found == [(0, 1, "comment"), (3, 4, None), (5, 7, None), (6, 7, None)]
