"""Row U23: two processor cores and little memory are enough."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from peft_engine.rundir import find_run
from tests.e2e.conftest import PEFTW

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_home")]

MEMORY = 2_200 << 20
"""Bytes of private memory that each process may have. The model alone takes 540 MB in float32, and torch with
transformers 400 MB before it computes anything."""


def with_little() -> None:
    """Take two cores, and the limit, for this process and all that it starts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def peftw(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(PEFTW), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=590, preexec_fn=with_little)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA limits memory on Linux only")
def test_U23_a_config_is_checked_trained_listed_and_exported_on_two_cores_with_little_memory(config: Path) -> None:
    folder = config.parent
    assert peftw("check", config, cwd=folder).returncode == 0
    run = peftw("run", config, "--json", cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    last = json.loads(run.stdout.splitlines()[-1])
    assert last["type"] == "completed"
    listed = json.loads(peftw("runs", "list", "--json", cwd=folder).stdout)
    assert [one["state"] for one in listed["runs"]] == ["completed"]
    assert peftw("runs", "export", last["run_id"], folder / "out.tar.gz", cwd=folder).returncode == 0
    events = (find_run(last["run_id"]).path / "events.jsonl").read_text().splitlines()
    peak = max(json.loads(line)["values"].get("memory_bytes", 0) for line in events if '"metric"' in line)
    assert 0 < peak < MEMORY
    print(f"{peak / 1e6:.0f} MB")


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA limits memory on Linux only")
def test_U23_where_memory_does_not_suffice_the_run_says_so_and_the_next_command_works(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "MEMORY", 700 << 20)
    run = peftw("run", config, "--json", cwd=config.parent)
    last = json.loads(run.stdout.splitlines()[-1])
    assert (run.returncode, last["type"]) == (1, "failed"), run.stdout + run.stderr
    assert last["error"]["code"] == "out-of-memory", last
    assert peftw("runs", "show", last["run_id"], cwd=config.parent).returncode == 0
