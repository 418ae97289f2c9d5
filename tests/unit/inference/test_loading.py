"""What could crash the process is tried in another one first."""

import subprocess
from pathlib import Path

import pytest

from peft_engine.inference import loading
from peft_schemas.errors import WorkbenchError


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def trial_ends(monkeypatch: pytest.MonkeyPatch, code: int, words: str = "") -> list[list[str]]:
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        calls.append(command)
        return subprocess.CompletedProcess(command, code, "", words)

    monkeypatch.setattr(loading.subprocess, "run", run)
    return calls


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        (-11, "serve-failed", "SIGSEGV"),
        (-4, "serve-failed", "SIGILL"),
        (-9, "out-of-memory", "memory ran out"),
        (1, "model-unreadable", "unknown architecture"),
    ],
)
def test_a_trial_that_dies_is_a_sentence_and_is_made_again(
    monkeypatch: pytest.MonkeyPatch, gguf: Path, code: int, expected: str, words: str
) -> None:
    calls = trial_ends(monkeypatch, code, "noise\nunknown architecture")
    for _ in range(2):
        with pytest.raises(WorkbenchError, match=words) as error:
            loading.try_in_child(gguf)
        assert error.value.code == expected
    assert len(calls) == 2


def test_a_good_trial_is_made_once_for_each_state_of_the_file(monkeypatch: pytest.MonkeyPatch, gguf: Path) -> None:
    calls = trial_ends(monkeypatch, 0)
    loading.try_in_child(gguf)
    loading.try_in_child(gguf)
    assert len(calls) == 1

    gguf.write_bytes(b"GGUF, but another")
    loading.try_in_child(gguf)
    assert len(calls) == 2


def test_a_file_that_is_no_model_is_refused_by_a_real_trial(gguf: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"model\.gguf") as error:
        loading.try_in_child(gguf)
    assert error.value.code == "model-unreadable"


def test_a_missing_library_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    with pytest.raises(WorkbenchError, match="llama-cpp-python is not installed") as error:
        loading.require_library()
    assert error.value.code == "extra-missing"
