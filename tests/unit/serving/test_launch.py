"""What a starter says when the process that it started does not come to serve."""

import os
import sys
from pathlib import Path

import pytest

from peft_daemon.serving import endpoint, launch
from peft_schemas.errors import WorkbenchError


def interpreter(folder: Path, script: str) -> str:
    """Return a program that stands in for an interpreter and does something else."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_its_own_sentence_is_passed_on(tmp_path: Path) -> None:
    words = '{"code": "extra-missing", "message": "No llama.", "remedy": "Install one."}'
    python = interpreter(tmp_path, f"import sys; print('noise'); print({words!r}, file=sys.stderr); sys.exit(1)")

    with pytest.raises(WorkbenchError, match="No llama") as error:
        launch.ensure_running(python=python)
    assert (error.value.code, error.value.remedy) == ("extra-missing", "Install one.")


def test_a_crash_quotes_the_last_line_of_the_log(tmp_path: Path, home: Path) -> None:
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "serve.log").write_text("something old\n")
    python = interpreter(tmp_path, "import os; print('last words', flush=True); os.abort()")

    with pytest.raises(WorkbenchError, match="ended as it started: last words") as error:
        launch.ensure_running(python=python)
    assert error.value.code == "serve-failed"


def test_a_crash_without_words_says_so(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="without a word"):
        launch.ensure_running(python=interpreter(tmp_path, "import os; os.abort()"))


def test_an_interpreter_without_the_package_is_a_sentence(tmp_path: Path) -> None:
    python = interpreter(tmp_path, "print('No module named peft_engine'); raise SystemExit(1)")

    with pytest.raises(WorkbenchError, match="No module named peft_engine"):
        launch.ensure_running(python=python)


def test_an_interpreter_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="cannot be run"):
        launch.ensure_running(python=str(tmp_path / "absent"))


def test_a_process_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(launch, "START_LIMIT", 2)
    note = f"open({str(home / 'pid')!r}, 'w').write(str(os.getpid()))"
    python = interpreter(tmp_path, f"import os, time; {note}; time.sleep(60)")

    with pytest.raises(WorkbenchError, match="did not answer"):
        launch.ensure_running(python=python)
    os.kill(int((home / "pid").read_text()), 9)


def test_stop_without_a_process_is_no_error() -> None:
    assert endpoint.stop() is False
    assert endpoint.status().state == "stopped"
