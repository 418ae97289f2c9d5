"""A random model that trains in milliseconds, and a place to lay out runs of it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.training.workshop import Workshop


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the random model."""
    from tests.integration.training.tiny import write_tiny_base

    folder = tmp_path_factory.mktemp("base") / "tiny"
    write_tiny_base(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """Runs of the tiny base on a dataset of 24 records; the worker's signal handlers are undone afterwards."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    shop = Workshop(tmp_path, str(tiny_base))
    shop.dataset()
    yield shop
    for number, handler in before.items():
        signal.signal(number, handler)
