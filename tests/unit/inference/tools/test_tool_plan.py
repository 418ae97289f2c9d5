"""How functions come to a model that knows them and to one that does not."""

import json
from typing import Any

import pytest

from peft_engine.inference.tools.declaration import Tool, ToolUse
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
