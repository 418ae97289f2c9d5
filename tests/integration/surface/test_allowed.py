"""What the settings allow reaches the guard of a real process."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running

PAGE = "http://localhost:5173"


def test_J12_J13_pages_and_a_rate_of_the_settings_are_held(home: Path, request: pytest.FixtureRequest) -> None:
    (home / "settings.yaml").write_text(f"serving: {{allowed_origins: ['{PAGE}'], requests_per_minute: 1}}\n")
    stop: Callable[[], bool] = endpoint.stop
    request.addfinalizer(stop)
    record = ensure_running()

    with httpx.Client(base_url=record.root, headers=endpoint.authorization(record), timeout=120) as http:
        assert http.get("/health", headers={"Origin": PAGE}).headers["access-control-allow-origin"] == PAGE
        assert http.get("/health", headers={"Origin": "http://localhost:5174"}).status_code == 403
        statuses = [http.post("/v1/chat/completions", json={}).status_code for _ in range(2)]
        assert statuses == [400, 429]
        assert http.get("/v1/models").status_code == 200
