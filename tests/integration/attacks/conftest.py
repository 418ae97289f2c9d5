"""An inference process that is attacked, with a model in it that goes on answering."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running
from peft_engine.serve_record import ServeRecord
from tests.integration.serving.homes import BASE


@dataclass
class Victim:
    """The process and what an attacker on this machine's network may send it."""

    home: Path
    record: ServeRecord
    http: httpx.Client
    """Sends the key."""

    @property
    def key(self) -> str:
        """The header line that the owner's programs send."""
        return f"Authorization: Bearer {self.record.token}"

    def send(self, method: str, path: str, *headers: str, body: bytes = b"") -> tuple[int, str]:
        """Send exactly these headers over a raw socket; return the status and the whole answer."""
        lines = [f"{method} {path} HTTP/1.1", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
        with socket.create_connection(("127.0.0.1", self.record.port), timeout=120) as connection:
            connection.sendall("\r\n".join(lines).encode() + body)
            answer = b""
            while block := connection.recv(65536):
                answer += block
        return int(answer.split(b" ", 2)[1]), answer.decode()

    def routes(self) -> list[tuple[str, str]]:
        """Return every route that is served, as it says itself, and one that is not."""
        paths = self.http.get("/openapi.json").json()["paths"]
        routes = [(method.upper(), path.format(model_id=BASE)) for path, methods in paths.items() for method in methods]
        return [*routes, ("GET", "/nowhere")]

    def assert_unharmed(self) -> None:
        """The same process lives and answers its owner."""
        assert self.http.get("/health").json()["pid"] == self.record.pid


@pytest.fixture(scope="session")
def _victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("attacked-home")
        patch.setenv("PEFTW_HOME", str(home))
        record = ensure_running()
        with httpx.Client(base_url=record.root, headers=endpoint.authorization(record), timeout=300) as http:
            yield Victim(home, record, http)
        endpoint.stop()


@pytest.fixture
def victim(_victim: Victim, monkeypatch: pytest.MonkeyPatch) -> Iterator[Victim]:
    """One process for all attacks: each must leave it unharmed."""
    monkeypatch.setenv("PEFTW_HOME", str(_victim.home))
    yield _victim
    _victim.assert_unharmed()
