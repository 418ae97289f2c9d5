"""Functions offered to the real model, whose chat template knows nothing of them."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import openai
import pytest
import yaml
from openai.types.chat import ChatCompletionChunk

from tests.integration.serving.homes import BASE, Served

pytestmark = pytest.mark.model
PARAMETERS: dict[str, dict[str, Any]] = {
    "get_weather": {
        "type": "object",
        "properties": {
            "city": {"enum": ["Paris", "Rome"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 9},
            "unit": {"$ref": "#/$defs/unit"},
        },
        "required": ["city", "days"],
        "$defs": {"unit": {"enum": ["celsius", "fahrenheit"]}},
    },
    "add": {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}, "b": {"type": "boolean"}},
        "required": ["a", "b"],
    },
}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": f"Do {name}.", "parameters": parameters}}
    for name, parameters in PARAMETERS.items()
]
ASKED: dict[str, Any] = {
    "model": BASE,
    "messages": [{"role": "user", "content": "What is the weather in Paris for the next 3 days?"}],
    "tools": TOOLS,
    "temperature": 0,
    "max_tokens": 120,
}

# As Qwen 2.5 has it, shortened.
TEMPLATE = """\
{%- if tools %}{{ '<|im_start|>system\\nFunctions:' }}
{%- for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}
{{- '\\nWrite <tool_call>{"name": ..., "arguments": ...}</tool_call>.<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}{{ '<|im_start|>user\\n<tool_response>' + message.content }}
{{- '</tool_response><|im_end|>\\n' }}
{%- elif message.tool_calls %}{{ '<|im_start|>assistant\\n' }}
{%- for call in message.tool_calls %}{{ '<tool_call>' + (call.function | tojson) + '</tool_call>' }}{% endfor %}
{{- '<|im_end|>\\n' }}
{%- else %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


@pytest.fixture
def knowing(served: Served) -> Iterator[str]:
    """The id of the real model under a chat template that knows functions."""
    definition = served.home / "models" / "knowing.yaml"
    definition.parent.mkdir(exist_ok=True)
    definition.write_text(yaml.safe_dump({"model": BASE, "template": TEMPLATE}))
    yield "knowing"
    definition.unlink()


def check(name: str, arguments: str) -> None:
    jsonschema.validate(json.loads(arguments), PARAMETERS[name])


def test_J2_a_required_call_is_made_and_is_valid(served: Served) -> None:
    answer = served.client().chat.completions.create(**ASKED, tool_choice="required", parallel_tool_calls=False)
    choice = answer.choices[0]

    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls or []
    assert call.type == "function"
    assert call.id
    check(call.function.name, call.function.arguments)


def test_J2_a_named_function_is_called(served: Served) -> None:
    named = {"type": "function", "function": {"name": "add"}}
    choice = served.client().chat.completions.create(**ASKED, tool_choice=named).choices[0]

    (call,) = choice.message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "add"
    check("add", call.function.arguments)


def test_J3_a_call_streams_by_name_first_and_then_its_arguments(served: Served) -> None:
    asked = ASKED | {"tool_choice": "required", "parallel_tool_calls": False}
    whole = served.client().chat.completions.create(**asked).choices[0].message.tool_calls or []
    chunks: list[ChatCompletionChunk] = [*served.client().chat.completions.create(**asked, stream=True)]
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]

    assert [delta.index for delta in deltas] == [0] * len(deltas)
    first, *more = deltas
    assert first.id
    assert first.type == "function"
    assert first.function is not None
    assert all(delta.id is None and delta.function and delta.function.name is None for delta in more)
    arguments = "".join(delta.function.arguments or "" for delta in deltas if delta.function)
    assert len(more) > 1
    assert whole[0].type == "function"
    assert (first.function.name, arguments) == (whole[0].function.name, whole[0].function.arguments)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_J2_a_free_choice_is_text_or_valid_calls(served: Served) -> None:
    for seed in range(3):
        asked = ASKED | {"temperature": 1, "seed": seed, "max_tokens": 60}
        choice = served.client().chat.completions.create(**asked).choices[0]
        for call in choice.message.tool_calls or []:
            assert call.type == "function"
            if choice.finish_reason == "tool_calls":
                check(call.function.name, call.function.arguments)
        assert choice.message.content or choice.message.tool_calls


def test_J2_the_result_of_a_call_reaches_the_model(served: Served) -> None:
    call = {"id": "abc", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    messages = [
        *ASKED["messages"],
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "abc", "content": "It will rain frogs."},
    ]
    create = served.client().chat.completions.create
    answer = create(**ASKED | {"messages": messages, "tool_choice": "none", "max_tokens": 40})

    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].message.content
    without = create(**ASKED | {"tool_choice": "none", "max_tokens": 40})
    assert answer.usage.prompt_tokens > without.usage.prompt_tokens + 15  # type: ignore[union-attr]


def test_J2_tools_reach_a_model_whose_template_drops_them(served: Served) -> None:
    create = served.client().chat.completions.create
    short = ASKED | {"max_tokens": 1}
    with_tools = create(**short).usage
    without = create(**{key: value for key, value in short.items() if key != "tools"}).usage

    assert with_tools is not None
    assert without is not None
    assert with_tools.prompt_tokens > without.prompt_tokens + 100


def test_J2_a_template_that_knows_functions_tells_of_them(served: Served, knowing: str) -> None:
    create = served.client().chat.completions.create
    asked = ASKED | {"model": knowing, "max_tokens": 1}
    plain = create(**{key: value for key, value in asked.items() if key != "tools"}).usage
    told = create(**asked).usage
    explained = create(**asked | {"model": BASE}).usage

    assert plain is not None
    assert told is not None
    assert explained is not None
    assert plain.prompt_tokens + 100 < told.prompt_tokens < explained.prompt_tokens


def test_J2_a_call_is_forced_under_a_template_that_knows_functions(served: Served, knowing: str) -> None:
    asked = ASKED | {"model": knowing, "tool_choice": "required", "parallel_tool_calls": False}
    (call,) = served.client().chat.completions.create(**asked).choices[0].message.tool_calls or []

    assert call.type == "function"
    check(call.function.name, call.function.arguments)


def test_J6_a_function_whose_arguments_cannot_be_promised_is_400(served: Served) -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "nonsense"}}, "required": ["a"]}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    with pytest.raises(openai.BadRequestError):
        served.client().chat.completions.create(**ASKED | {"tools": [tool], "tool_choice": "required"})
