"""What the served process is doing, as its health says."""

from typing import Any

import httpx

from peft_engine.serve_record import ServeRecord
from tests.waiting import wait_until


def health(record: ServeRecord) -> dict[str, Any]:
    """Return what `GET /health` says."""
    url = f"{record.url.removesuffix('/v1')}/health"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {record.token}"}, timeout=60)
    body: dict[str, Any] = answer.json()
    return body


def until_idle(record: ServeRecord) -> None:
    """Wait until nothing is computed for anybody."""

    def idle() -> bool:
        now = health(record)
        return not now["active"] and not now["waiting"]

    wait_until(idle, lambda: "the process still computes for a client that has gone")
