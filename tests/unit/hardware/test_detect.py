import stat
import sys

import pytest

from peft_engine.hardware import compute_capability, detect


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Put a stand-in for the driver's tool first on the path; it prints what it is given."""

    def install(script):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return install


def test_the_machine_is_described(home):
    report = detect()
    assert report.logical_cores >= 1
    assert 0 < report.free_memory_bytes <= report.total_memory_bytes
    assert report.free_disk_bytes > 0
    assert report.kind == (report.accelerators[0].kind if report.accelerators else "cpu")


def test_an_absent_driver_has_a_note(monkeypatch):
    monkeypatch.setenv("PATH", "")
    report = detect()
    assert any("nvidia-smi is not installed" in note for note in report.notes)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_every_device_of_the_driver_is_listed(nvidia_smi):
    nvidia_smi('echo "NVIDIA A100, 40960, 40000, 550.1"; echo "NVIDIA T4, 15360, [N/A], 550.1"')
    report = detect()
    assert report.kind == "cuda"
    assert [device.name for device in report.accelerators] == ["NVIDIA A100", "NVIDIA T4"]
    assert report.accelerators[0].total_memory_bytes == 40960 * 1024 * 1024
    assert report.accelerators[1].free_memory_bytes is None
    assert report.accelerators[0].driver == "550.1"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_driver_that_fails_has_a_note_and_no_device(nvidia_smi):
    nvidia_smi("exit 9")
    report = detect()
    assert report.accelerators == []
    assert any("did not answer" in note for note in report.notes)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize(
    ("answer", "expected"), [("8.0\\n8.0", (8, 0)), ("8.0\\n7.5", None), ("[N/A]", None), ("", None)]
)
def test_the_compute_capability_is_that_of_all_devices(nvidia_smi, answer, expected):
    nvidia_smi(f'case "$*" in *compute_cap*) printf "{answer}";; *) exit 9;; esac')
    assert compute_capability() == expected


def test_without_a_driver_there_is_no_compute_capability(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert compute_capability() is None
