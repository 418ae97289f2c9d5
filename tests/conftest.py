"""What every test shares: no network, a state folder of its own, and the real model in a cache outside the checkout."""

import os
import runpy
import signal
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from peft_engine.models import resolve_base
from peft_engine.models.materialise import materialise

GUARD = Path(__file__).parent / "guard"

runpy.run_path(str(GUARD / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")]))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
if "PYTEST_XDIST_WORKER" in os.environ:
    # Files of tests share the cores: two that compute with all of them would wait for each other at each sum.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it starts in the background ignore Ctrl-C, and so would every process that a test sends it to.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _no_home_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what outlives one test, such as a shared server, away from the user's own runs too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTW_HOME", str(tmp_path_factory.mktemp("peftw-shared-home")))
        yield


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


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """The folder of base models made ready to train, kept outside the checkout between runs of the tests."""
    cache = Path(os.environ.get("PEFTW_CACHE") or Path.home() / ".cache/peft-workbench")
    folder = cache / f"test-models-{metadata.version('transformers')}-2"
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home:
        (Path(home) / "models").symlink_to(folder)
        patch.setenv("PEFTW_HOME", home)
        materialise(resolve_base("HuggingFaceTB/SmolLM2-135M-Instruct"))
    return folder


@pytest.fixture
def model_home(home: Path, model_cache: Path) -> Path:
    """The test's own state folder, in which the real model is ready to train."""
    (home / "models").symlink_to(model_cache)
    return home
