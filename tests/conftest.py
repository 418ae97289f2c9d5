"""What every test shares: no network, a state folder of its own, and the real model in a cache outside the checkout."""

import os
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

GUARD = Path(__file__).parent / "guard"

runpy.run_path(str(GUARD / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")]))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give each test a state folder of its own, so that no test sees the user's runs or another test's."""
    home = tmp_path_factory.mktemp("peftw-home")
    monkeypatch.setenv("PEFTW_HOME", str(home))
    yield home


@pytest.fixture
def home(_home: Path) -> Path:
    """The test's own state folder."""
    return _home
