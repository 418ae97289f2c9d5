"""How functions come to a model that knows them and to one that does not."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from llguidance import LLMatcher, LLTokenizer

from peft_engine.catalog import AdapterChoice, Servable
from peft_engine.inference.constraint import Matcher
from peft_engine.inference.tools.declaration import Tool, ToolUse
from peft_engine.inference.tools.own_template import own_template
from peft_engine.inference.tools.plan import plan

HERMES = "{% if tools %}<tool_call>"
TOOL = Tool("weather", "Say the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
ASKED = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rain?"})
CALL = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}
TALK: tuple[dict[str, Any], ...] = (
    *ASKED,
    {"role": "assistant", "content": "", "tool_calls": [CALL, CALL]},
    {"role": "tool", "content": "wet", "tool_call_id": "1"},
    {"role": "tool", "content": "dry", "tool_call_id": "2"},
    {"role": "user", "content": "So?"},
)


def test_a_template_that_knows_functions_is_told_of_them_and_left_free() -> None:
    way = plan(TALK, ToolUse((TOOL,), "auto"), template=HERMES, schema=None)

    assert way.conversation.messages == TALK
    assert way.conversation.tools[0]["function"]["name"] == "weather"
    assert way.constraint is None


def test_another_template_gets_them_as_text_in_the_system_message() -> None:
    way = plan(ASKED, ToolUse((TOOL,), "auto"), template="{{ messages }}", schema=None)

    assert way.conversation.tools == ()
    system, user = way.conversation.messages
    assert system["content"].startswith("Be brief.\n\n")
    assert '"name": "weather"' in system["content"]
    assert "plain text" in system["content"]
    assert user == ASKED[1]
    assert way.constraint is not None


def test_a_system_message_is_added_where_there_is_none() -> None:
    way = plan(ASKED[1:], ToolUse((TOOL,), "named"), template=None, schema=None)

    assert way.conversation.messages[0]["role"] == "system"
    assert "calling weather" in way.conversation.messages[0]["content"]
    assert way.conversation.messages[1:] == ASKED[1:]


@pytest.mark.parametrize("use", [None, ToolUse((TOOL,), "required")])
def test_calls_and_results_become_text_where_the_template_knows_neither(use: ToolUse | None) -> None:
    messages = plan(TALK, use, template=None, schema=None).conversation.messages

    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[2]["content"].count('<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}') == 2
    result = "<tool_response>\n{}\n</tool_response>\n"
    assert messages[3]["content"] == result.format("wet") + result.format("dry") + "So?"
    assert all(set(message) == {"role", "content"} for message in messages)


def test_calls_and_results_stay_where_the_template_knows_them() -> None:
    assert plan(TALK, None, template=HERMES, schema=None).conversation.messages == TALK


@pytest.mark.parametrize(("tool", "schema"), [(Tool("f", "", {}, strict=True), None), (TOOL, {"type": "object"})])
def test_a_promise_of_a_free_choice_is_kept_by_our_own_syntax(tool: Tool, schema: dict[str, Any] | None) -> None:
    way = plan(ASKED, ToolUse((tool,), "auto"), template=HERMES, schema=schema)

    assert way.conversation.tools == ()
    assert way.constraint is not None


def test_a_schema_alone_is_the_constraint() -> None:
    way = plan(ASKED, None, template=HERMES, schema={"type": "object"})

    assert way.reader() is None
    assert way.constraint is not None
    assert way.constraint.kind == "json-schema"
    assert json.loads(way.constraint.text)["type"] == "object"


def servable(weights: Path, *adapters: Path) -> Servable:
    chosen = tuple(AdapterChoice(path.name, path) for path in adapters)
    return Servable(
        id="m", label="m", base="m", weights=weights, format="safetensors", context_length=1, created=0, size_bytes=1,
        source="folder", adapters=chosen,
    )  # fmt: skip


def test_the_template_that_an_adapter_learned_goes_before_the_base_s(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    adapter.mkdir()
    (base / "tokenizer_config.json").write_text(json.dumps({"chat_template": "of the base"}))

    assert own_template(servable(base)) == "of the base"
    assert own_template(servable(base, adapter)) == "of the base"
    (adapter / "chat_template.jinja").write_text("of the adapter")
    assert own_template(servable(base, adapter)) == "of the adapter"
    assert own_template(servable(tmp_path / "gone.gguf")) is None
    (tmp_path / "bad.gguf").write_bytes(b"GG")
    assert own_template(servable(tmp_path / "bad.gguf")) is None


@pytest.mark.parametrize("tools", [(), (TOOL,)], ids=["alone", "beside functions"])
def test_json_stays_on_one_line(tools: tuple[Tool, ...]) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    way = plan(ASKED, ToolUse(tools, "auto") if tools else None, template=None, schema=schema)
    assert way.constraint is not None
    vocabulary = LLTokenizer("byte")
    for text, ends in (('{"a": 1}', True), ('{\n"a": 1}', False), ('{"a":  1}', False), ('{ "a": 1}', False)):
        matcher = Matcher(way.constraint, vocabulary)
        passed = all(matcher.allowed()[byte] and matcher.accept(byte) is None for byte in text.encode())
        assert (passed, text) == (ends, text)


UNIQUE = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}}}


@pytest.mark.parametrize(
    ("choice", "strict", "refused"), [("auto", False, False), ("auto", True, True), ("required", False, True)]
)
def test_what_a_grammar_cannot_promise_is_refused_only_where_it_is_promised(
    choice: Literal["auto", "required"], strict: bool, refused: bool
) -> None:
    way = plan(ASKED, ToolUse((Tool("f", "", UNIQUE, strict=strict),), choice), template=None, schema=None)
    assert way.constraint is not None
    error = LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(way.constraint.text), LLTokenizer("byte"))

    assert ("uniqueItems" in error) == refused


def test_properties_that_no_function_declared_are_left_out() -> None:
    way = plan(ASKED, ToolUse((TOOL,), "required"), template=None, schema=None)
    assert way.constraint is not None
    matcher = LLMatcher(LLTokenizer("byte"), LLMatcher.grammar_from_lark(way.constraint.text))
    call = b'<tool_call>\n{"name": "weather", "arguments": {"city": "Rome", "x'

    assert matcher.try_consume_tokens([*call]) == call.index(b', "x')
