"""Which bodies are requests, and what is said of those that are not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from peft_engine.inference.contract import Sampling
from peft_engine.inference.http.bounds import DEFAULTS
from peft_engine.inference.http.chat_request import ChatCompletionRequest
from peft_engine.inference.http.requests import first_fault
from peft_engine.inference.tools.declaration import NO_ARGUMENTS, Tool, ToolUse
from peft_schemas.library import SamplingDefaults
from tests.property.strategies import examples

GOOD: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def function(name: str, **parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


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
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "system", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "messages.0.tool_calls.0.function"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        (
            {"messages": [*GOOD["messages"], {"role": "user", "content": [{"type": "text"}]}]},
            "messages.1.content.0.text",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.type"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a"] * 100}, "stop"),
        ({"stop": ["a", ""]}, "stop.1"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": "0.5"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 5.0}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include_usage": "true"}}, "stream_options.include_usage"),
        ({"logprobs": "true"}, "logprobs"),
        ({"lora": [{"id": 99, "scale": "big"}]}, "lora"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
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
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
        ({"tools": [function("f", type="array")]}, "tools.0.function.parameters"),
        ({"tools": [function("f"), function("f")]}, "tools"),
        ({"tools": [function(f"f{number}") for number in range(129)]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "sometimes", "tools": [function("f")]}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "g"}}, "tools": [function("f")]}, "tool_choice"),
        ({"functions": [{}]}, "functions"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
        ({"logprobs": 7}, "logprobs"),
        ({"top_logprobs": 5}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"frequency_penalty": 2.5}, "frequency_penalty"),
        ({"presence_penalty": -3}, "presence_penalty"),
        ({"repeat_penalty": 0}, "repeat_penalty"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 101}}, "logit_bias"),
        ({"top_k": -2}, "top_k"),
        ({"min_p": 1.5}, "min_p"),
        ({"modalities": ["text", "audio"]}, "modalities.1"),
    ],
)
def test_a_bad_field_is_named(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(ValidationError) as error:
        parse({**GOOD, **changes})

    field, sentence = first_fault(error.value)
    assert field.startswith(param)
    assert sentence.startswith(field)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stop": 5}, "a valid string, or: Input should be a valid array"),
        ({"stop": ["a"] * 100}, "at most"),
        ({"audio": {}}, "not offered here"),
        ({"web_search_options": {}}, "not offered here"),
        ({"functions": [{"name": "f"}]}, "as tools"),
        ({"lora": [{"id": 0, "scale": 1.0}]}, "base:adapter@0.5"),
    ],
)
def test_J6_the_sentence_says_what_to_do(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as error:
        parse({**GOOD, **changes})
    assert words in first_fault(error.value)[1]


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
        {"lora": []},
        {"temperature": 1},
        {"user": "me", "store": True, "parallel_tool_calls": False, "reasoning_effort": "low", "unheard_of": [1]},
    ],
)
def test_what_clients_send_without_meaning_it_passes(changes: dict[str, Any]) -> None:
    assert parse({**GOOD, **changes}).model == "m"


def test_content_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "a", "cache_control": {}}, {"type": "text", "text": "b"}]
    assert parse({**GOOD, "messages": [{"role": "user", "content": parts}]}).messages[0].text() == "ab"
    assert parse({**GOOD, "messages": [{"role": "assistant", "content": None}]}).messages[0].text() == ""


def test_an_image_is_refused_by_name() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    with pytest.raises(ValidationError) as error:
        parse({**GOOD, "messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, image]}]})

    field, sentence = first_fault(error.value)
    assert field == "messages.0.content.1.type"
    assert "image_url cannot be read" in sentence


def test_calls_and_results_are_messages_of_the_template() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    deep = "[" * 900 + "]" * 900
    broken = {"id": "2", "type": "function", "function": {"name": "f", "arguments": deep}}
    turns = [
        {"role": "developer", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call, broken]},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "ok"}]},
        {"role": "function", "name": "f", "content": "ok"},
    ]
    system, assistant, tool, older = [turn.message() for turn in parse({**GOOD, "messages": turns}).messages]

    assert system == {"role": "system", "content": "x"}
    assert [call["function"]["arguments"] for call in assistant["tool_calls"]] == [{"a": 1}, deep]
    assert assistant["content"] == ""
    assert tool == {"role": "tool", "content": "ok", "tool_call_id": "1", "name": ""}
    assert older["role"] == "tool"


def test_sampling_takes_the_names_of_llama_cpp_and_vllm() -> None:
    changes = {"temperature": 0, "top_k": 5, "min_p": 0.1, "seed": -1, "logit_bias": {"7": -100, "3": 1}}
    sampling = parse({**GOOD, **changes, "frequency_penalty": 1, "presence_penalty": -1}).sampling(SamplingDefaults())

    assert sampling == Sampling(
        temperature=0,
        top_p=DEFAULTS.top_p,
        seed=2**32 - 1,
        top_k=5,
        min_p=0.1,
        frequency_penalty=1,
        presence_penalty=-1,
        logit_bias=((3, 1), (7, -100)),
    )
    for name in ("repeat_penalty", "repetition_penalty"):
        assert parse({**GOOD, name: 1.5}).sampling(SamplingDefaults()).repetition_penalty == 1.5
    assert parse({**GOOD, "top_k": -1}).sampling(SamplingDefaults()).top_k == 0


def test_what_a_request_does_not_say_its_model_does() -> None:
    usual = SamplingDefaults(temperature=0.1, top_k=7, min_p=0.2, repetition_penalty=1.1)
    sampling = parse({**GOOD, "temperature": 0, "min_p": 0}).sampling(usual)

    assert (sampling.temperature, sampling.min_p) == (0, 0)
    assert (sampling.top_k, sampling.repetition_penalty) == (7, 1.1)
    assert sampling.top_p == DEFAULTS.top_p


@pytest.mark.parametrize(
    ("changes", "schema"),
    [
        ({}, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": [1]}}}, {"enum": [1]}),
    ],
)
def test_the_form_of_an_answer_is_a_schema(changes: dict[str, Any], schema: object) -> None:
    assert parse({**GOOD, **({"response_format": changes} if changes else {})}).schema_of_text == schema


def test_the_choice_of_tools_says_which_and_how() -> None:
    tools = [function("f"), function("g", type="object", properties={})]

    def use(**changes: Any) -> ToolUse | None:
        return parse({**GOOD, "tools": tools, **changes}).tool_use

    both = tuple(
        Tool(name, "", parameters)
        for name, parameters in [("f", NO_ARGUMENTS), ("g", tools[1]["function"]["parameters"])]
    )
    assert use() == use(tool_choice="auto") == use(parallel_tool_calls=True) == ToolUse(both, "auto")
    assert use(tool_choice="none") is None
    assert parse({**GOOD, "tools": []}).tool_use is None
    assert use(tool_choice="required", parallel_tool_calls=False) == ToolUse(both, "required", parallel=False)
    named = {"type": "function", "function": {"name": "g"}}
    assert use(tool_choice=named) == ToolUse(both[1:], "named", parallel=False)


def test_the_newer_name_of_the_limit_wins() -> None:
    assert parse({**GOOD, "max_tokens": 5}).limit == 5
    assert parse({**GOOD, "max_tokens": 5, "max_completion_tokens": 6}).limit == 6


def test_stops_are_a_tuple_however_they_come() -> None:
    assert parse(GOOD).stops == ()
    assert parse({**GOOD, "stop": "x"}).stops == ("x",)
    assert parse({**GOOD, "stop": ["x", "y"]}).stops == ("x", "y")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*ChatCompletionRequest.model_fields]), JSON, max_size=4))
@examples(60)
def test_any_json_is_a_request_or_has_a_named_fault(body: dict[str, Any]) -> None:
    try:
        parse(body)
    except ValidationError as error:
        field, sentence = first_fault(error)
        assert field
        assert sentence.endswith(".")
