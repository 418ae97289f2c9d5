"""What could crash the process is tried in another one first."""

import sys
import time
from pathlib import Path

import pytest

from peft_engine.inference import loading
from peft_schemas.errors import WorkbenchError


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


class Trials:
    """Stands for the trial, with real child processes that end as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
        self.count = 0
        self._code = code
        monkeypatch.setattr(loading, "trial_command", self.command)

    def command(self, *_: object) -> list[str]:
        self.count += 1
        return [sys.executable, "-c", self._code]


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", "serve-failed", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 4)", "serve-failed", "SIGILL"),
        ("import os; os.kill(os.getpid(), 9)", "out-of-memory", "memory ran out"),
        ("import sys; sys.exit('noise\\nunknown architecture')", "model-unreadable", "unknown architecture"),
    ],
)
def test_a_trial_that_dies_is_a_sentence_and_is_made_again(
    monkeypatch: pytest.MonkeyPatch, gguf: Path, code: str, expected: str, words: str
) -> None:
    trials = Trials(monkeypatch, code)
    for _ in range(2):
        with pytest.raises(WorkbenchError, match=words) as error:
            loading.try_in_child(gguf)
        assert error.value.code == expected
    assert trials.count == 2


def test_a_good_trial_is_made_once_for_each_state_of_the_file(monkeypatch: pytest.MonkeyPatch, gguf: Path) -> None:
    trials = Trials(monkeypatch, "")
    loading.try_in_child(gguf)
    loading.try_in_child(gguf)
    assert trials.count == 1

    gguf.write_bytes(b"GGUF, but another")
    loading.try_in_child(gguf)
    assert trials.count == 2


def test_a_trial_that_is_not_wanted_any_more_is_ended(monkeypatch: pytest.MonkeyPatch, gguf: Path) -> None:
    Trials(monkeypatch, "import time; time.sleep(600)")
    wanted = iter([True, False])
    began = time.monotonic()
    with pytest.raises(WorkbenchError) as error:
        loading.try_in_child(gguf, lambda _: next(wanted))

    assert error.value.code == "load-cancelled"
    assert time.monotonic() - began < 300


def test_a_file_that_is_no_model_is_refused_by_a_real_trial(gguf: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"model\.gguf") as error:
        loading.try_in_child(gguf)
    assert error.value.code == "model-unreadable"


def test_a_missing_library_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    with pytest.raises(WorkbenchError, match="llama-cpp-python is not installed") as error:
        loading.require_library()
    assert error.value.code == "extra-missing"
