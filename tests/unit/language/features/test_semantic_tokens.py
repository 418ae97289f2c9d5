"""Semantic tokens."""

import json
from pathlib import Path

from hypothesis import given

from peft_daemon.capabilities import CAPABILITIES
from peft_daemon.language.features.semantic_tokens import Token, changes, encode, legend, tokens
from tests.property.strategies import examples, texts
from tests.unit.language.features.marked import opened, token_text

MANIFEST = Path(__file__).parents[4] / "extension" / "package.json"

TEXT = """\
# 😀 first
base: &b {r: 8}
method:
  <<: *b # 😀
  type: lora
  alpha: 64.0
  lora_r: 3
  alpha: 2
training: {packing: true, seed: 42, max_steps: null}
model:
  base: ./m
  chat_template: "😀.jinja"
datasets:
- path: org/data
  split: >-
    train[:10%]

    😀
"""


def described(text: str) -> dict[str, list[str]]:
    document = opened(text)
    found: dict[str, list[str]] = {}
    for token in tokens(document):
        names = [token.type.name, *(str(one.name) for one in type(token.modifiers) if one in token.modifiers)]
        found.setdefault(token_text(document, token), []).append(" ".join(names))
    return found


def test_keys_and_values_are_told_apart_by_what_the_language_knows_of_them() -> None:
    found = described(TEXT)
    assert found["method"] == found["training"] == found["datasets"] == ["section"]
    assert found["lora_r"] == ["property deprecated"]
    assert found["alpha"] == ["property", "property deprecated"]
    assert found["type"] == ["property default"]
    assert found["lora"] == ["enumMember default"]
    assert found["64.0"] == ["number"]
    assert found["true"] == ["keyword"]
    assert found["42"] == ["number default"]
    assert found["./m"] == found['"😀.jinja"'] == ["path"]
    assert found["org/data"] == ["string"]


def test_anchors_are_declared_and_aliases_use_them() -> None:
    found = described(TEXT)
    assert found["&b"] == ["variable declaration"]
    assert found["*b"] == ["variable"]


def test_comments_and_values_of_several_lines_are_one_token_a_line() -> None:
    found = described(TEXT)
    assert found["# 😀 first"] == found["# 😀"] == ["comment"]
    assert found[">-"] == found["train[:10%]"] == found["😀"] == ["string"]


def test_a_range_has_the_tokens_of_its_lines_only() -> None:
    document = opened(TEXT)
    some = tokens(document, {"start": {"line": 4, "character": 3}, "end": {"line": 15, "character": 0}})
    assert some == [token for token in tokens(document) if 4 <= token.line <= 15]


def test_the_handshake_announces_the_legend_that_the_numbers_count_in() -> None:
    assert CAPABILITIES["semanticTokensProvider"]["legend"] == legend()


def test_the_extension_declares_what_vs_code_does_not_know_of_the_legend() -> None:
    contributes = json.loads(MANIFEST.read_text())["contributes"]
    usual = {"property", "enumMember", "number", "string", "keyword", "variable", "comment"}
    declared = {kind["id"] for kind in contributes["semanticTokenTypes"]}
    assert declared == set(legend()["tokenTypes"]) - usual
    modifiers = {modifier["id"] for modifier in contributes["semanticTokenModifiers"]}
    assert modifiers == set(legend()["tokenModifiers"]) - {"declaration", "deprecated"}


@examples(100)
@given(texts())
def test_tokens_lie_in_their_lines_in_order_and_apart(text: str) -> None:
    document = opened(text)
    found = tokens(document)
    behind = (0, 0)
    for token in found:
        assert (token.line, token.start) >= behind
        assert token.length > 0
        behind = (token.line, token.start + token.length)
        assert token_text(document, token) == token_text(document, token).strip("\r\n")
        assert len(token_text(document, token).encode("utf-16-le")) == 2 * token.length
    assert decoded(encode(found)) == [(one.line, one.start, one.length, one.type, one.modifiers) for one in found]


@examples(100)
@given(texts(), texts())
def test_a_change_of_tokens_makes_the_new_ones_of_the_old(before: str, after: str) -> None:
    old, new = encode(tokens(opened(before))), encode(tokens(opened(after)))
    for edit in changes(old, new):
        old[edit["start"] : edit["start"] + edit["deleteCount"]] = edit["data"]
    assert old == new


def decoded(data: list[int]) -> list[tuple[int, ...]]:
    """Read the numbers as an editor does."""
    found: list[tuple[int, ...]] = []
    line = start = 0
    for index in range(0, len(data), 5):
        start = data[index + 1] + (0 if data[index] else start)
        line += data[index]
        found.append((line, start, *data[index + 2 : index + 5]))
    return found


def test_a_section_that_stands_twice_has_no_effect_the_second_time() -> None:
    text = "model: {base: x}\nmethod: {r: 8}\nmodel: {base: y}\n"
    assert described(text)["model"] == ["section", "section deprecated"]


def test_an_edit_in_the_middle_changes_only_its_own_tokens() -> None:
    old = encode(tokens(opened(TEXT)))
    (edit,) = changes(old, encode(tokens(opened(TEXT.replace("64.0", "7")))))
    assert edit["deleteCount"] <= 5
    assert changes(old, list(old)) == []


def test_tokens_are_values() -> None:
    (token,) = tokens(opened("# x"))
    assert token == Token(0, 0, 3, token.type, token.modifiers)
