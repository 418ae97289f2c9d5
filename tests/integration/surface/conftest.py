"""The API behind a real socket, on real files of a model, with an engine that only recites."""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from peft_engine.inference.http.app import build_app
from peft_engine.inference.residency import Residency
from peft_engine.inference.scheduler import Scheduler
from peft_engine.loopback.listening import QuietServer, listen
from tests.integration.serving.homes import complete_run
from tests.integration.surface.reciting import RecitingEngine

TOKEN = "a-token-that-must-not-leak"
KEY = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Surface:
    """Where it answers."""

    port: int
    http: httpx.Client
    """Sends the key. One for all tests: to make one takes longer than to ask."""

    adapter: str
    """The id of the base with an adapter."""

    engine: RecitingEngine
    scheduler: Scheduler
    shutdowns: list[None]

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self.http.request(method, path, json=body)

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self.ask("POST", path, body)


@pytest.fixture(scope="session")
def _surface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surface]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTW_HOME", str(tmp_path_factory.mktemp("surface-home")))
        adapter = complete_run("first", seed=1)
        engine = RecitingEngine()
        scheduler = Scheduler(Residency(lambda model, progress: engine))
        shutdowns: list[None] = []
        listener = listen(0)
        server = QuietServer(
            build_app(scheduler, token=TOKEN, on_shutdown=lambda: shutdowns.append(None), on_request=lambda path: None)
        )
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        scheduler.start()
        thread.start()
        port = listener.getsockname()[1]
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=KEY, timeout=120) as http:
            yield Surface(port, http, adapter, engine, scheduler, shutdowns)
        server.should_exit = True
        thread.join()
        scheduler.stop()


@pytest.fixture
def surface(_surface: Surface, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Surface:
    """One server for all tests that leave it as it was."""
    homes = [path for path in tmp_path_factory.getbasetemp().iterdir() if path.name.startswith("surface-home")]
    monkeypatch.setenv("PEFTW_HOME", str(homes[0]))
    return _surface
