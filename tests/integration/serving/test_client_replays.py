"""Replays of what editors' agents send, read by the official client. Not the extensions themselves.

What has thousands of tokens goes to the first two layers of the real model, which read them in seconds.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from peft_engine.catalog import CONTEXT_LIMIT
from tests.integration.serving import client_requests
from tests.integration.serving.activity import until_idle
from tests.integration.serving.homes import BASE, Served
from tests.integration.serving.short_model import write_short_model

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def short_model(_served: Served, gguf_base: Any) -> Iterator[str]:
    """The id of the real model's first layers."""
    folder = _served.home / "models"
    folder.mkdir(exist_ok=True)
    write_short_model(gguf_base, folder / "short.gguf")
    (folder / "short.yaml").write_text("model: short.gguf\ncontext_length: 8192\n")
    yield "short"
    (folder / "short.yaml").unlink()


def first_of(served: Served, model: str, asked: dict[str, Any], *, count: int = 6) -> list[ChatCompletionChunk]:
    """Return the first chunks and hang up, as an agent does that is stopped."""
    chunks = []
    with served.client().chat.completions.create(model=model, **asked) as stream:
        for chunk in stream:
            chunks.append(chunk)
            if len(chunks) == count:
                break
    return chunks


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param(client_requests.cline, id="J14-cline"),
        pytest.param(client_requests.cline_after_a_call, id="J14-cline-after-a-call"),
        pytest.param(client_requests.continue_chat, id="J15-continue"),
        pytest.param(client_requests.roo, id="J16-roo"),
    ],
)
def test_replay_of_an_agent_s_request_streams_until_it_is_stopped(
    served: Served, short_model: str, request_of: Callable[[], dict[str, Any]]
) -> None:
    asked = request_of()
    chunks = first_of(served, short_model, asked)

    assert chunks[0].choices[0].delta.role == "assistant"
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    names = [tool["function"]["name"] for tool in asked["tools"]]
    called = [call.function.name for delta in deltas for call in delta.tool_calls or [] if call.function]
    assert any(delta.content for delta in deltas) or called
    assert {name for name in called if name} <= set(names)
    until_idle(served.record)


def test_replay_of_cline_with_a_call_that_is_required_is_a_call(served: Served, short_model: str) -> None:
    asked = client_requests.cline() | {"tool_choice": "required", "max_tokens": 24}
    chunks = [*served.client().chat.completions.create(model=short_model, **asked)]

    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert calls[0].function is not None
    assert calls[0].function.name in [tool["function"]["name"] for tool in asked["tools"]]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens > 4000
    assert (chunks[-1].usage.prompt_tokens_details.cached_tokens or 0) > 1000  # type: ignore[union-attr]


def test_replay_of_vscode_s_custom_endpoint_is_answered(served: Served) -> None:
    chunks = [*served.client().chat.completions.create(model=BASE, **client_requests.vscode())]

    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []


def test_replay_of_roo_s_title_is_answered(served: Served) -> None:
    answer = served.client().chat.completions.create(model=BASE, **client_requests.roo_title())

    assert answer.choices[0].message.content


def test_replay_of_continue_s_autocomplete_is_answered(served: Served) -> None:
    chunks = [*served.client().completions.create(model=BASE, **client_requests.continue_autocomplete())]

    assert chunks[-1].choices[0].finish_reason in ("stop", "length")


def test_replay_of_continue_s_embeddings_is_answered(served: Served) -> None:
    answer = served.client().embeddings.create(model=BASE, input=["def add(a, b):", "class Sea:"])

    assert len(answer.data) == 2


def test_replay_of_an_agent_of_ten_thousand_tokens_is_refused_with_both_numbers(served: Served) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        served.client().chat.completions.create(model=BASE, **client_requests.agent_of_ten_thousand_tokens())

    assert refused.value.code == "context_length_exceeded"
    assert f"{CONTEXT_LIMIT:,}" in refused.value.message
    assert any(f"{thousands}," in refused.value.message for thousands in range(10, 20))


def test_the_requests_have_the_sizes_that_were_recorded() -> None:
    cline = client_requests.cline()

    assert len(cline["tools"]) == 25
    assert 17_000 < len(json.dumps(cline["tools"])) < 20_000
    assert 21_000 < len(json.dumps(cline)) < 25_000
