"""What the served process is doing, as its health says."""

import time
from typing import Any

import httpx

from peft_engine.serve_record import ServeRecord


def health(record: ServeRecord) -> dict[str, Any]:
    """Return what `GET /health` says."""
    url = f"{record.url.removesuffix('/v1')}/health"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {record.token}"}, timeout=60)
    body: dict[str, Any] = answer.json()
    return body


def until_idle(record: ServeRecord) -> None:
    """Wait until nothing is computed for anybody."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        now = health(record)
        if not now["active"] and not now["waiting"]:
            return
        time.sleep(0.05)
    raise AssertionError("the process still computes for a client that has gone")
