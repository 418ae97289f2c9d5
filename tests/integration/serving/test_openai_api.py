"""The API as the official client and a raw socket see it, with the real model."""

import json
import socket
import threading
import time
from pathlib import Path

import httpx
import openai
import pytest
from transformers import AutoTokenizer

from peft_daemon.serving.endpoint import authorization
from peft_engine.catalog import CONTEXT_LIMIT
from tests.integration.serving.activity import health, until_idle
from tests.integration.serving.homes import BASE, Served

pytestmark = pytest.mark.model
QUESTION = "What is the capital of France?"
ASKED = [{"role": "user", "content": QUESTION}]
# The base repeats itself over this one, greedily, until something stops it.
ENDLESS = [{"role": "user", "content": "What is the capital of France?"}]


def post(served: Served, body: object) -> httpx.Response:
    return httpx.post(
        f"{served.record.url}/chat/completions", json=body, headers=authorization(served.record), timeout=300
    )


def test_models_are_the_base_and_each_adapter_as_its_own_id(served: Served) -> None:
    models = {model.id: model for model in served.client().models.list()}

    assert set(models) == {BASE, served.first, served.second}
    extra = models[served.first].model_extra or {}
    assert extra["base"] == BASE
    assert extra["run_id"] == "first-1"
    assert extra["context_length"] == CONTEXT_LIMIT
    assert served.client().models.retrieve(served.first).id == served.first


def test_J1_the_loaded_flag_flips_after_the_first_answer(served: Served) -> None:
    served.say(BASE, QUESTION, max_tokens=1)

    assert (served.client().models.retrieve(BASE).model_extra or {})["loaded"] is True


def test_J2_an_answer_has_text_usage_and_finish_reason(served: Served) -> None:
    answer = served.client().chat.completions.create(model=BASE, messages=ASKED, temperature=0, max_tokens=8)

    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 8


def test_J2_usage_is_what_the_tokenizer_counts(served: Served, model_cache: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct")
    written = tokenizer.apply_chat_template(ASKED, add_generation_prompt=True, tokenize=False)
    answer = served.client().chat.completions.create(
        model=BASE, messages=ASKED, temperature=0, max_tokens=8, logprobs=True
    )

    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len(tokenizer(written, add_special_tokens=False)["input_ids"])
    assert answer.choices[0].logprobs is not None
    assert answer.usage.completion_tokens == len(answer.choices[0].logprobs.content or [])


def test_an_answer_that_the_model_ends_says_stop(served: Served) -> None:
    answer = served.client().chat.completions.create(
        model=BASE, messages=[{"role": "user", "content": "Say hi."}], temperature=0, max_tokens=400
    )

    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("sampling", [{"temperature": 0}, {"temperature": 1.0, "top_p": 0.9, "seed": 7}])
def test_I3_a_stream_joined_equals_the_whole_answer(served: Served, sampling: dict[str, float]) -> None:
    asked = {"model": served.first, "messages": ASKED, "max_tokens": 32, **sampling}
    whole = served.client().chat.completions.create(**asked)
    chunks = list(served.client().chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))

    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_another_seed_gives_another_answer(served: Served) -> None:
    texts = {
        served.client()
        .chat.completions.create(model=BASE, messages=ASKED, temperature=1.5, seed=seed, max_tokens=24)
        .choices[0]
        .message.content
        for seed in (1, 2, 3)
    }

    assert len(texts) > 1


def test_characters_of_several_tokens_arrive_whole(served: Served) -> None:
    repeat = "Repeat exactly: 日本語 🦜🌍 naïve"
    asked = {"model": BASE, "messages": [{"role": "user", "content": repeat}], "temperature": 0, "max_tokens": 48}
    pieces = [
        chunk.choices[0].delta.content or "" for chunk in served.client().chat.completions.create(**asked, stream=True)
    ]

    assert "�" not in "".join(pieces)
    assert any(ord(letter) > 127 for letter in "".join(pieces))


def test_a_stop_text_ends_the_answer_before_it(served: Served) -> None:
    asked = {"model": BASE, "messages": ASKED, "temperature": 0, "max_tokens": 48}
    free = served.client().chat.completions.create(**asked).choices[0].message.content or ""
    stop = free[5:12]
    stopped = served.client().chat.completions.create(**asked, stop=[stop]).choices[0]

    assert stopped.message.content == free[: free.index(stop)]
    assert stopped.finish_reason == "stop"


def test_J3_the_wire_has_role_content_finish_and_done(served: Served) -> None:
    body = {"model": BASE, "messages": ASKED, "max_tokens": 3, "temperature": 0, "stream": True}
    response = post(served, body)

    assert response.headers["content-type"].startswith("text/event-stream")
    assert "access-control-allow-origin" not in response.headers
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events[:-2]]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    assert choices[-1] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}


def test_J3_a_hang_up_stops_the_computation(served: Served) -> None:
    body = json.dumps({"model": BASE, "messages": ENDLESS, "max_tokens": 5000, "temperature": 0, "stream": True})
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {served.record.token}\r\n\r\n{body}"
    )
    with socket.create_connection(("127.0.0.1", served.record.port)) as connection:
        connection.sendall(request.encode())
        received = b""
        while received.count(b"data: ") < 3:
            received += connection.recv(4096)

    until_idle(served.record)
    generated = health(served.record)["generated_tokens"]
    time.sleep(0.5)
    assert health(served.record)["generated_tokens"] == generated


def test_a_hang_up_without_a_stream_stops_the_computation(served: Served) -> None:
    body = {"model": BASE, "messages": ENDLESS, "max_tokens": 5000, "temperature": 0}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{served.record.url}/chat/completions", json=body, headers=authorization(served.record), timeout=2)

    until_idle(served.record)


def test_waiting_requests_are_answered_in_turn(served: Served) -> None:
    texts: dict[str, str] = {}

    def ask(model: str) -> None:
        texts[model] = served.say(model, QUESTION)

    alone = {model: served.say(model, QUESTION) for model in (BASE, served.first, served.second)}
    threads = [threading.Thread(target=ask, args=(model,)) for model in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert texts == alone


def test_J7_a_prompt_beyond_the_context_is_refused_with_both_numbers(served: Served) -> None:
    response = post(served, {"model": BASE, "messages": [{"role": "user", "content": "many words " * 6000}]})

    error = response.json()["error"]
    assert response.status_code == 400
    assert error["code"] == "context_length_exceeded"
    assert error["report"]["code"] == "context-exceeded"
    assert "12,0" in error["message"]
    assert f"{CONTEXT_LIMIT:,}" in error["message"]


def test_J7_an_unknown_model_is_404_and_names_what_there_is(served: Served) -> None:
    with pytest.raises(openai.NotFoundError, match=BASE) as refused:
        served.say("nobody/nothing", QUESTION)

    assert refused.value.code == "model_not_found"


def test_an_adapter_that_was_removed_is_404_and_the_process_lives(served: Served) -> None:
    run = served.home / "runs" / "second-1"
    hidden = run.with_name("hidden")
    run.rename(hidden)
    try:
        with pytest.raises(openai.NotFoundError):
            served.say(served.second, QUESTION)
        assert served.second not in {model.id for model in served.client().models.list()}
    finally:
        hidden.rename(run)
    assert served.say(served.second, QUESTION, max_tokens=1)


def test_an_adapter_that_was_cut_off_is_a_sentence(served: Served) -> None:
    gguf = served.home / "runs" / "second-1" / "adapter.gguf"
    good = gguf.read_bytes()
    try:
        gguf.write_bytes(good[: len(good) // 2])
        with pytest.raises(openai.InternalServerError, match="cannot be loaded: the tensor"):
            served.say(served.second, QUESTION)
    finally:
        gguf.write_bytes(good)
    assert served.say(served.second, QUESTION, max_tokens=1)
