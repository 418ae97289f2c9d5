"""Attack 2: a web page that the user has open asks this machine for something."""

import pytest

from tests.integration.attacks.conftest import Victim
from tests.integration.serving.homes import BASE

CHANGING = ["/models/switch", "/models/unload", "/models/load", "/models/pin", f"/v1/models/{BASE}/switch", "/shutdown"]
ORIGINS = ["https://evil.example", "null", "http://127.0.0.1:1", "file://", "vscode-webview://x"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_simple_post_of_a_page_changes_nothing(victim: Victim, origin: str) -> None:
    before = victim.http.get("/models/status").json()
    for path in CHANGING:
        for key in ([], [victim.key]):
            headers = [f"Host: 127.0.0.1:{victim.record.port}", f"Origin: {origin}", "Content-Type: text/plain", *key]
            status, answer = victim.send("POST", path, *headers, body=b'{"model": "' + BASE.encode() + b'"}')
            assert status == 403, path
            assert "access-control" not in answer.lower()

    assert victim.http.get("/models/status").json() == before


@pytest.mark.parametrize("origin", ORIGINS)
def test_no_preflight_of_a_page_is_granted(victim: Victim, origin: str) -> None:
    asking = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization, content-type"]
    for _, path in victim.routes():
        for host in (f"127.0.0.1:{victim.record.port}", "localhost"):
            status, answer = victim.send("OPTIONS", path, f"Host: {host}", f"Origin: {origin}", *asking)
            assert status == 403
            assert "access-control" not in answer.lower()


def test_a_page_cannot_send_a_form_with_a_key_that_the_browser_remembers(victim: Victim) -> None:
    host = f"Host: 127.0.0.1:{victim.record.port}"
    for remembered in (f"Cookie: token={victim.record.token}", f"Cookie: Authorization=Bearer {victim.record.token}"):
        assert victim.send("POST", "/shutdown", host, remembered)[0] == 401
