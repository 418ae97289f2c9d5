"""What an editor is told of definition files."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from peft_daemon.models import feature
from peft_engine.home import models_dir


async def test_E33_a_file_that_appears_before_the_first_look_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    server = SimpleNamespace(workspace_folders=[], trusted=False, notify=lambda method, _params: told.append(method))

    async def slow_scan() -> bool:
        # The editor has its list by now.
        models_dir().mkdir(parents=True, exist_ok=True)
        (models_dir() / "mine.yaml").write_text("model: org/model\n")
        return False

    monkeypatch.setattr(feature, "scan_in_thread", slow_scan)
    watching = asyncio.create_task(feature.LibraryWatch(cast(Any, server)).forever())
    try:
        async with asyncio.timeout(30):
            while "peft/models/changed" not in told:
                await asyncio.sleep(0)
    finally:
        watching.cancel()
