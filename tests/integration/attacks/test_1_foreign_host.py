"""Attack 1: a page whose name was rebound to 127.0.0.1 (CVE-2024-28224)."""

import pytest

from tests.integration.attacks.conftest import Victim

FOREIGN = [
    "evil.example",
    "127.0.0.1.evil.com",
    "localhost.",
    "localhost.evil.com",
    "127.0.0.1@evil.example",
    "127.1",
    "2130706433",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_403_on_every_route_though_it_carries_the_key(victim: Victim, host: str) -> None:
    for method, path in victim.routes():
        for origin in ([], [f"Origin: http://{host}"]):
            status, answer = victim.send(method, path, f"Host: {host}", victim.key, *origin)
            assert status == 403, (method, path, host)
            assert victim.record.token not in answer
            assert "access-control" not in answer.lower()


def test_two_hosts_or_none_are_refused(victim: Victim) -> None:
    assert victim.send("GET", "/health", "Host: localhost", "Host: evil.example", victim.key)[0] in (400, 403)
    assert victim.send("GET", "/health", victim.key)[0] in (400, 403)
    assert victim.send("GET", "http://evil.example/health", "Host: evil.example", victim.key)[0] in (400, 403)
