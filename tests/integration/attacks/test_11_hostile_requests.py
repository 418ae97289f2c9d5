"""Attack 11: numbers, schemas and bodies that no honest client sends, and far too many requests."""

import asyncio
import json
import os
import socket
from typing import Any

import psutil
import pytest

from tests.integration.attacks.conftest import Victim
from tests.integration.serving.homes import BASE
from tests.waiting import wait_until

pytestmark = pytest.mark.model
CHAT: dict[str, Any] = {"model": BASE, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
MANY = 10_000 if os.environ.get("PEFTW_FUZZ") else 1_000
"""Requests at once. Ten thousand take a minute and show the same."""

NUMBERS = [
    ("max_tokens", "-1"),
    ("max_tokens", "0"),
    ("max_tokens", "1e400"),
    ("max_tokens", "9" * 5000),
    ("max_tokens", "1.5"),
    ("n", "-1"),
    ("n", "1000000000"),
    ("temperature", "1e308"),
    ("temperature", "-0.1"),
    ("temperature", "NaN"),
    ("temperature", "Infinity"),
    ("top_p", "1e9"),
    ("top_k", "9223372036854775808"),
    ("min_p", "-1"),
    ("frequency_penalty", "1e30"),
    ("repetition_penalty", "0"),
    ("seed", "1e30"),
    ("logit_bias", '{"-1": 1}'),
    ("logit_bias", '{"99999999999999": 1}'),
    ("logit_bias", '{"1": 1e30}'),
    ("top_logprobs", "1000000"),
    ("stop", json.dumps(["x"] * 10_000)),
]


@pytest.mark.parametrize(("field", "number"), NUMBERS)
def test_a_number_out_of_bounds_is_400_and_named(victim: Victim, field: str, number: str) -> None:
    body = json.dumps({name: value for name, value in CHAT.items() if name != field})
    answer = victim.http.post("/v1/chat/completions", content=f'{body[:-1]}, "{field}": {number}}}')

    assert answer.status_code == 400
    assert field in (answer.json()["error"]["param"], "max_tokens") or answer.json()["error"]["param"] == "body"


@pytest.mark.parametrize("field", ["n_discard", "n_keep", "cache_prompt", "slot_id", "id_slot", "n_probs"])
def test_a_knob_of_another_server_turns_nothing(victim: Victim, field: str) -> None:
    """CVE-2026-21869 was a negative `n_discard`."""
    assert victim.http.post("/v1/chat/completions", json={**CHAT, field: -5}).status_code == 200


@pytest.mark.parametrize("ids", [[2**31 - 1], [10**6], [-1], [2**63], [True], [0.5]])
@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions"])
def test_a_token_outside_the_vocabulary_is_400(victim: Victim, path: str, ids: list[Any]) -> None:
    field = "input" if path.endswith("embeddings") else "prompt"
    answer = victim.http.post(path, json={"model": BASE, field: ids, "max_tokens": 1})

    assert answer.status_code == 400


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


SCHEMAS: dict[str, Any] = {
    "refers to itself": {"$ref": "#"},
    "refers in a circle": {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    "contains itself": {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    "refers to the network": {"$ref": "http://169.254.169.254/latest/meta-data"},
    "refers to a file": {"$ref": "file:///etc/passwd"},
    "is deep": nested(200),
    "is wide": {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(20_000)}},
    "has a catastrophic pattern": {"type": "string", "pattern": "^(((a+)+)+)+$"},
    "has a giant pattern": {"type": "string", "pattern": "(a{1000}){1000}"},
    "has a giant length": {"type": "string", "minLength": 10**9},
    "has a giant array": {"type": "array", "items": {"type": "string"}, "minItems": 10**9},
    "permits nothing": False,
    "is no schema": {"type": "nonsense"},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_hostile_schema_is_refused_or_kept_to_in_bounded_time(victim: Victim, name: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMAS[name]}}
    answer = victim.http.post("/v1/chat/completions", json={**CHAT, "max_tokens": 2, "response_format": wanted})

    assert answer.status_code in (200, 400)
    if "the network" in name or "a file" in name or name in ("is no schema", "permits nothing"):
        assert answer.status_code == 400
    if answer.status_code == 400:
        assert answer.json()["error"]["message"]


def test_a_body_nested_without_end_is_400(victim: Victim) -> None:
    for body in (b"[" * 1_000_000, b'{"a":' * 1_000_000, b'{"model": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"):
        assert victim.http.post("/v1/chat/completions", content=body).status_code == 400


def test_an_announced_gigabyte_is_413_at_once_and_takes_no_memory(victim: Victim) -> None:
    before = psutil.Process(victim.record.pid).memory_info().rss
    headers = ["Host: localhost", victim.key, f"Content-Length: {10**9}"]
    with socket.create_connection(("127.0.0.1", victim.record.port), timeout=60) as connection:
        connection.sendall("\r\n".join(["POST /v1/chat/completions HTTP/1.1", *headers, "", ""]).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    assert psutil.Process(victim.record.pid).memory_info().rss - before < 50 * 2**20


def test_an_unannounced_gigabyte_is_cut_off_after_its_first_megabytes(victim: Victim) -> None:
    before = psutil.Process(victim.record.pid).memory_info().rss
    headers = ["Host: localhost", victim.key, "Transfer-Encoding: chunked"]
    chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", victim.record.port), timeout=60) as connection:
        connection.sendall("\r\n".join(["POST /v1/chat/completions HTTP/1.1", *headers, "", ""]).encode())
        try:
            while sent < 1000:
                connection.sendall(chunk)
                sent += 1
        except OSError:
            pass
    assert sent < 100
    assert psutil.Process(victim.record.pid).memory_info().rss - before < 100 * 2**20


def test_clients_that_vanish_in_the_middle_leave_nothing_running(victim: Victim) -> None:
    body = json.dumps({**CHAT, "max_tokens": 5000, "stream": True}).encode()
    head = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", victim.key, f"Content-Length: {len(body)}", "", ""]
    for number in range(20):
        with socket.create_connection(("127.0.0.1", victim.record.port), timeout=60) as connection:
            connection.sendall("\r\n".join(head).encode() + body)
            if number % 4 == 0:
                connection.recv(100)

    _until_idle(victim)


def test_far_too_many_requests_are_429_with_a_time_to_come_back(victim: Victim) -> None:
    """Those that were let in are given up with their clients."""
    statuses = asyncio.run(_flood(victim))

    refused = [head for head in statuses if head.startswith("HTTP/1.1 429")]
    assert len(refused) > MANY / 2
    assert all("retry-after:" in head.lower() for head in refused)
    assert all(head.startswith(("HTTP/1.1 429", "HTTP/1.1 200")) for head in statuses)
    _until_idle(victim)
    assert victim.http.post("/v1/chat/completions", json=CHAT).status_code == 200


async def _flood(victim: Victim) -> list[str]:
    """Ask for long answers at once; return the heads of what was answered while none of them was complete."""
    body = json.dumps({**CHAT, "max_tokens": 5000}).encode()
    head = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", victim.key, f"Content-Length: {len(body)}", "", ""]
    request = "\r\n".join(head).encode() + body
    answered: list[str] = []
    left = MANY

    async def ask() -> None:
        nonlocal left
        while left > 0:
            reader, writer = await asyncio.open_connection("127.0.0.1", victim.record.port)
            try:
                while left > 0:
                    left -= 1
                    writer.write(request)
                    answer = (await reader.readuntil(b"\r\n\r\n")).decode()
                    length = int(answer.lower().split("content-length: ")[1].split("\r\n")[0])
                    await reader.readexactly(length)
                    answered.append(answer)
            finally:
                writer.close()

    # More clients than the queue has room, so that some are always refused while the others wait.
    clients = [asyncio.create_task(ask()) for _ in range(200)]
    while left > 0 and not all(client.done() for client in clients):
        await asyncio.sleep(0.05)
    for client in clients:
        client.cancel()
    results = await asyncio.gather(*clients, return_exceptions=True)
    assert not [error for error in results if isinstance(error, Exception)]
    return answered


def _until_idle(victim: Victim) -> None:
    def idle() -> bool:
        now = victim.http.get("/health").json()
        return now["active"] == 0 and now["waiting"] == 0

    wait_until(idle, lambda: "the process still computes for clients that have gone")
