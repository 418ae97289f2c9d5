"""Which bodies are requests, and what is said of those that are not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from peft_engine.inference.http.requests import ChatCompletionRequest, first_fault

GOOD: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def parse(body: object) -> ChatCompletionRequest:
    return ChatCompletionRequest.model_validate_json(json.dumps(body))


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"content": "Hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        (
            {"messages": [*GOOD["messages"], {"role": "user", "content": [{"type": "text"}]}]},
            "messages.1.content.0.text",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0."),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"seed": "x"}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"stop": ""}, "stop"),
        ({"stop": [""]}, "stop.0"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stream": "maybe"}, "stream"),
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{}]}, "functions"),
        ({"response_format": {"type": "json_object"}}, "response_format.type"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
    ],
)
def test_a_bad_field_is_named(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(ValidationError) as error:
        parse({**GOOD, **changes})

    field, sentence = first_fault(error.value)
    assert field.startswith(param)
    assert sentence.startswith(field)


@pytest.mark.parametrize("body", [[], "x", 7, None])
def test_a_body_that_is_no_object_is_named_so(body: object) -> None:
    with pytest.raises(ValidationError) as error:
        parse(body)
    assert first_fault(error.value)[0] == "body"


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_options": {"include_usage": True}},
        {"tools": []},
        {"tool_choice": "auto"},
        {"n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "logprobs": False, "logit_bias": {}},
        {"response_format": {"type": "text"}},
        {"stop": None},
        {"user": "me", "store": True, "parallel_tool_calls": False, "reasoning_effort": "low", "unheard_of": [1]},
    ],
)
def test_what_clients_send_without_meaning_it_passes(changes: dict[str, Any]) -> None:
    assert parse({**GOOD, **changes}).model == "m"


def test_content_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "a", "cache_control": {}}, {"type": "text", "text": "b"}]
    assert parse({**GOOD, "messages": [{"role": "user", "content": parts}]}).messages[0].text() == "ab"
    assert parse({**GOOD, "messages": [{"role": "assistant", "content": None}]}).messages[0].text() == ""


def test_the_newer_name_of_the_limit_wins() -> None:
    assert parse({**GOOD, "max_tokens": 5}).limit == 5
    assert parse({**GOOD, "max_tokens": 5, "max_completion_tokens": 6}).limit == 6


def test_stops_are_a_tuple_however_they_come() -> None:
    assert parse(GOOD).stops == ()
    assert parse({**GOOD, "stop": "x"}).stops == ("x",)
    assert parse({**GOOD, "stop": ["x", "y"]}).stops == ("x", "y")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)


@given(st.dictionaries(st.sampled_from([*ChatCompletionRequest.model_fields]), JSON))
def test_any_json_is_a_request_or_has_a_named_fault(body: dict[str, Any]) -> None:
    try:
        parse(body)
    except ValidationError as error:
        field, sentence = first_fault(error)
        assert field
        assert sentence.endswith(".")
