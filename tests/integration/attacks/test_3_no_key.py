"""Attack 3: a program without the key, and one that looks for it where it should not be."""

import base64
import stat

import psutil

from tests.integration.attacks.conftest import Victim
from tests.integration.serving.homes import BASE

CHAT = b'{"model": "%s", "messages": [{"role": "user", "content": "Hi"}], "stream": true}' % BASE.encode()


def test_J11_every_route_wants_the_whole_key_in_its_header(victim: Victim) -> None:
    token = victim.record.token
    basic = base64.b64encode(f"user:{token}".encode()).decode()
    keys = [
        [],
        ["Authorization:"],
        ["Authorization: Bearer"],
        ["Authorization: Bearer " + token[:-1]],
        ["Authorization: Bearer " + token + "x"],
        ["Authorization: Bearer " + token.swapcase()],
        ["Authorization: " + token],
        ["Authorization: Basic " + basic],
        ["Authorization: Bearer wrong", "Authorization: Bearer " + token],
        ["X-Api-Key: " + token],
        ["Cookie: token=" + token],
    ]
    for method, path in victim.routes():
        for key in keys:
            for place in (path, f"{path}?token={token}&api_key={token}&key={token}"):
                status, answer = victim.send(method, place, "Host: localhost", *key, body=CHAT)
                assert status == 401, (method, place, key)
                assert token not in answer
                assert "text/event-stream" not in answer


def test_the_key_stands_nowhere_but_in_its_file(victim: Victim) -> None:
    token = victim.record.token
    victim.http.get(f"/nowhere/{BASE}")
    victim.http.post("/v1/chat/completions", content=b"{")
    victim.send("GET", "/health", "Host: localhost", "Authorization: Bearer wrong")
    victim.send("GET", "/health", "Host: evil.example", victim.key)
    victim.send("NONSENSE\x01", "/", victim.key)

    holders = [path for path in victim.home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert {path.name for path in holders} <= {"serve.json", "serve-key.json"}
    assert victim.home / "serve.json" in holders
    assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}
    for process in psutil.process_iter():
        try:
            assert not any(token in argument for argument in process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    assert token not in str(psutil.Process(victim.record.pid).environ())
