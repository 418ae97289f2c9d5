"""Each fault gets one plain sentence and a way out, the documented exit code, and leaves nothing half-made."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Peftw


def assert_plain(answer: subprocess.CompletedProcess[str], *words: str, code: int = 1) -> None:
    said = answer.stdout + answer.stderr
    assert answer.returncode == code, said
    for word in words:
        assert word in said
    assert "Traceback" not in said
    assert 'File "' not in said


def runs_in(home: Path) -> list[str]:
    folder = home / "runs"
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []


def test_a_config_that_is_not_there(peftw: Peftw, home: Path) -> None:
    assert_plain(peftw("run", "nothing.peft.yaml"), "nothing.peft.yaml")
    assert runs_in(home) == []


def test_a_folder_in_place_of_a_config(peftw: Peftw, tmp_path: Path, home: Path) -> None:
    assert_plain(peftw("run", tmp_path))
    assert runs_in(home) == []


def test_a_broken_yaml(peftw: Peftw, config: Path, home: Path) -> None:
    config.write_text(config.read_text() + "evaluation: {split: 0.1\n")
    assert_plain(peftw("run", config), "config-invalid")
    assert runs_in(home) == []


def test_a_config_that_is_not_text(peftw: Peftw, config: Path, home: Path) -> None:
    config.write_bytes(b"\xff\xfe\x00\x01" * 100)
    assert_plain(peftw("run", config), "config-invalid")
    assert runs_in(home) == []


def test_a_missing_dataset(peftw: Peftw, config: Path, home: Path) -> None:
    (config.parent / "train.jsonl").unlink()
    assert_plain(peftw("run", config), "train.jsonl")
    assert runs_in(home) == []


def test_a_model_that_is_not_there(peftw: Peftw, config: Path, home: Path) -> None:
    config.write_text(config.read_text().replace("HuggingFaceTB/SmolLM2-135M-Instruct", "nobody/has-this-model"))
    assert_plain(peftw("run", config), "nobody/has-this-model", "model-missing")
    assert runs_in(home) == []


def test_every_fault_of_a_launch_is_json_when_asked(peftw: Peftw, config: Path) -> None:
    config.write_text(config.read_text() + "trainig: {}\nmodell: {}\n")
    answer = peftw("run", config, "--json")
    last = json.loads(answer.stdout.splitlines()[-1])
    assert (answer.returncode, last["type"], last["error"]["code"]) == (1, "failed", "config-invalid")
    assert [finding["code"] for finding in last["findings"] if finding["severity"] == "error"] == ["PW101", "PW101"]


def test_a_busy_port(peftw: Peftw) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert_plain(peftw("serve", "--port", str(port), "--detach"), "port-busy", str(port))


def test_an_unknown_run(peftw: Peftw) -> None:
    for command in ("show", "stop"):
        assert_plain(peftw("runs", command, "nothing-1"), "run-missing")


def test_a_full_disk_before_the_start(
    peftw: Peftw, config: Path, full_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEFTW_HOME", str(full_disk / "home"))
    assert_plain(peftw("run", config), "disk-full")
    assert runs_in(full_disk / "home") == []


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few pages with no room left but for names."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode != 0:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        (folder / "filler").write_bytes(bytes(60 * 1024))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_wrong_usage_is_exit_code_2(peftw: Peftw) -> None:
    assert_plain(peftw("rum"), code=2)
    assert_plain(peftw("run"), code=2)
    assert_plain(peftw("run", "--wrong", "x"), code=2)


def test_debug_shows_the_traceback_wherever_it_stands(peftw: Peftw) -> None:
    for arguments in (("--debug", "runs", "show", "nothing-1"), ("runs", "show", "nothing-1", "--debug")):
        assert "Traceback" in peftw(*arguments).stderr


def test_a_closed_pipe_is_no_error(config: Path) -> None:
    peftw = Path(sys.executable).with_name("peftw")
    piped = subprocess.run(f"{peftw} explain {config} | head -n 1", shell=True, capture_output=True, text=True)
    assert piped.stderr == ""
