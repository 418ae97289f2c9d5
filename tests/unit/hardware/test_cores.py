"""Threads that compute are counted by what this process may use."""

import os
from pathlib import Path

import psutil
import pytest

from peft_engine.hardware.cores import usable_cores


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen cores with two hyper-threads each."""
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 32 if logical else 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(32)), raising=False)


def confine(root: Path, own: str, **limits: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::{own}\n")
    for group, limit in limits.items():
        folder = root / "sys/fs/cgroup" / group.replace("__", "/").strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(limit + "\n")
    return root


def test_hyper_threads_are_not_counted(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 16


def test_cores_that_the_process_may_not_run_on_are_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 9}, raising=False)
    assert usable_cores(tmp_path) == 3


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({"app": "max 100000"}, 16),
        ({"app": "400000 100000"}, 4),
        ({"app": "max 100000", "": "250000 100000"}, 2),
        ({"app": "50000 100000"}, 1),
        ({"app__inner": "800000 100000", "app": "600000 100000"}, 6),
        ({"app": "nonsense"}, 16),
    ],
)
def test_the_tightest_control_group_counts(tmp_path: Path, limits: dict[str, str], cores: int) -> None:
    own = "/app/inner" if "app__inner" in limits else "/app"
    assert usable_cores(confine(tmp_path, own, **limits)) == cores


def test_a_container_that_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    root = confine(tmp_path, "/", **{"": "200000 100000"})
    assert usable_cores(root) == 2
