"""Inference processes for the tests: one that they share, and one of their own for those that kill it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running
from peft_engine.models import resolve_base
from peft_engine.serve_record import ServeRecord
from tests.integration.serving.homes import BASE, Served, complete_run
from tests.integration.serving.short_model import write_short_model


@pytest.fixture(scope="session")
def gguf_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real base's file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTW_HOME", str(tmp_path_factory.mktemp("empty-home")))
        path = resolve_base(BASE).gguf
    assert path is not None
    return path


@pytest.fixture(scope="session")
def short_base(gguf_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real base cut to its first layers, which is quick."""
    target = tmp_path_factory.mktemp("short") / "short.gguf"
    write_short_model(gguf_base, target)
    return target


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory, gguf_base: Path) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("served-home")
        patch.setenv("PEFTW_HOME", str(home))
        first, second = complete_run("first", seed=1), complete_run("second", seed=2)
        record = ensure_running()
        yield Served(home, record, first, second)
        endpoint.stop()


@pytest.fixture
def served(_served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """One process for all tests that leave it as it was."""
    monkeypatch.setenv("PEFTW_HOME", str(_served.home))
    return _served


@pytest.fixture
def own_process(home: Path) -> Iterator[Callable[[], ServeRecord]]:
    """Start, when called, the process of this test's own home; whatever serves it at the end is stopped."""
    yield ensure_running
    endpoint.stop()
