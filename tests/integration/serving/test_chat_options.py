"""What a chat can be asked for beside its text, by the official client from the real model."""

import json
import math
from typing import Any

import httpx
import openai
import pytest

from peft_daemon.serving.endpoint import authorization
from tests.integration.serving.homes import BASE, Served

pytestmark = pytest.mark.model
ASKED = [{"role": "user", "content": "What is the capital of France?"}]
SHORT: dict[str, Any] = {"model": BASE, "messages": ASKED, "max_tokens": 8}


def test_J2_several_answers_are_those_of_the_seeds_that_follow(served: Served) -> None:
    create = served.client().chat.completions.create
    sampled = SHORT | {"temperature": 1.5}
    answer = create(**sampled, n=3, seed=5)
    alone = [create(**sampled, seed=seed) for seed in (5, 6, 7)]

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert [choice.message.content for choice in answer.choices] == [one.choices[0].message.content for one in alone]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == alone[0].usage.prompt_tokens  # type: ignore[union-attr]
    assert answer.usage.completion_tokens == sum(one.usage.completion_tokens for one in alone)  # type: ignore[union-attr]


def test_J3_several_answers_stream_side_by_side(served: Served) -> None:
    create = served.client().chat.completions.create
    asked = SHORT | {"temperature": 1.5, "n": 2, "seed": 5}
    whole = create(**asked)
    chunks = [*create(**asked, stream=True, stream_options={"include_usage": True})]

    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [choice.message.content for choice in whole.choices]
    assert [c.choices[0].index for c in chunks if c.choices and c.choices[0].finish_reason] in ([0, 1], [1, 0])
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens  # type: ignore[union-attr]


def test_J2_log_probabilities_come_with_each_token(served: Served) -> None:
    create = served.client().chat.completions.create
    asked = SHORT | {"temperature": 0, "logprobs": True, "top_logprobs": 3}
    choice = create(**asked).choices[0]

    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert len(tokens) == 8
    assert b"".join(bytes(token.bytes or []) for token in tokens).decode() == choice.message.content
    for token in tokens:
        assert token.top_logprobs[0].token == token.token, "greedy takes the likeliest"
        assert len(token.top_logprobs) == 3
        assert sum(math.exp(one.logprob) for one in token.top_logprobs) <= 1.0001
    streamed = [
        token
        for chunk in create(**asked, stream=True)
        if chunk.choices and chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content or []
    ]
    assert [token.token for token in streamed] == [token.token for token in tokens]
    assert [token.logprob for token in streamed] == pytest.approx([token.logprob for token in tokens], abs=1e-3)


def test_J2_logprobs_without_alternatives_have_none(served: Served) -> None:
    choice = served.client().chat.completions.create(**SHORT, logprobs=True).choices[0]

    assert choice.logprobs is not None
    assert all(token.top_logprobs == [] for token in choice.logprobs.content or [])


def test_J2_a_bias_decides(served: Served) -> None:
    create = served.client().chat.completions.create
    choice = create(**SHORT, temperature=0, logit_bias={"28": 100}, logprobs=True).choices[0]

    assert choice.logprobs is not None
    assert len({token.token for token in choice.logprobs.content or []}) == 1


def test_J6_a_bias_of_a_token_that_does_not_exist_is_400(served: Served) -> None:
    with pytest.raises(openai.BadRequestError, match="999999999"):
        served.client().chat.completions.create(**SHORT, logit_bias={"999999999": 1})


def test_J2_penalties_change_a_text_that_repeats_itself(served: Served) -> None:
    create = served.client().chat.completions.create
    asked = SHORT | {
        "temperature": 0,
        "max_tokens": 24,
        "messages": [{"role": "user", "content": "Write the word sun ten times."}],
    }
    free = create(**asked).choices[0].message.content

    assert create(**asked, frequency_penalty=2).choices[0].message.content != free
    assert create(**asked, extra_body={"repeat_penalty": 2.0}).choices[0].message.content != free
    assert create(**asked, extra_body={"top_k": 1}, seed=3).choices[0].message.content == free


def test_J2_a_prompt_that_was_read_before_is_counted_as_cached(served: Served) -> None:
    asked = SHORT | {"messages": [{"role": "user", "content": "Tell me of the sea. " * 40}], "max_tokens": 1}
    create = served.client().chat.completions.create
    create(**asked)
    usage = create(**asked).usage

    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == usage.prompt_tokens


PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "kind": {"$ref": "#/$defs/kind"},
    },
    "required": ["name", "age", "kind"],
    "additionalProperties": False,
    "$defs": {"kind": {"enum": ["human", "robot"]}},
}


@pytest.mark.parametrize("stream", [False, True])
def test_J2_an_answer_keeps_to_a_json_schema(served: Served, stream: bool) -> None:
    create = served.client().chat.completions.create
    asked = SHORT | {
        "temperature": 1.2,
        "seed": 1,
        "max_tokens": 80,
        "response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}},
    }
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in create(**asked, stream=True))
    else:
        text = create(**asked).choices[0].message.content or ""

    person = json.loads(text)
    assert set(person) == {"name", "age", "kind"}
    assert person["kind"] in ("human", "robot")


def test_J2_json_mode_begins_an_object(served: Served) -> None:
    asked = SHORT | {"response_format": {"type": "json_object"}, "temperature": 0}

    assert (served.client().chat.completions.create(**asked).choices[0].message.content or "").startswith("{")


def test_J6_a_schema_that_cannot_be_followed_is_400(served: Served) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "nonsense"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(openai.BadRequestError, match="json-schema"):
        served.client().chat.completions.create(**SHORT, response_format=wanted)


def test_J2_what_openai_s_clients_read_is_there(served: Served) -> None:
    answer = served.client().chat.completions.create(
        **SHORT,
        service_tier="auto",
        store=False,
        user="me",
        metadata={"a": "b"},
        stream_options={"include_usage": True},
    )

    assert answer.id.startswith("chatcmpl-")
    assert answer.object == "chat.completion"
    assert answer.system_fingerprint
    assert answer.model == BASE
    assert answer.choices[0].message.tool_calls is None


def test_J2_adapters_of_a_scale_and_of_none_are_models(served: Served) -> None:
    base, full = served.say(BASE, "Who are you?"), served.say(served.first, "Who are you?")

    assert base != full
    assert served.say(f"{served.first}@0", "Who are you?") == base
    assert served.say(f"{served.first}@1", "Who are you?") == full
    both = f"{served.first}+{served.second.rpartition(':')[2]}@0"
    assert served.say(both, "Who are you?") == full


SCHEMA = {"type": "bogus"}


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/chat/completions", {"logit_bias": {"999999": 1}}, "logit_bias"),
        (
            "/v1/chat/completions",
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}},
            "response_format",
        ),
        (
            "/v1/responses",
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}},
            "text.format",
        ),
        ("/v1/completions", {"suffix": "the end"}, "suffix"),
        ("/v1/completions", {"prompt": [10**6]}, "prompt"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_J6_what_only_the_model_can_refuse_is_named_too(
    served: Served, path: str, fields: dict[str, Any], param: str, stream: bool
) -> None:
    prompts = {"/v1/chat/completions": {"messages": ASKED}, "/v1/responses": {"input": "Hi"}}
    body = {"model": BASE, "stream": stream, **prompts.get(path, {"prompt": "Hi"}), **fields}
    record = served.record
    answer = httpx.post(f"{record.root}{path}", json=body, headers=authorization(record), timeout=300)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
