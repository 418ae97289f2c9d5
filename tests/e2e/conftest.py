"""The command line as a user has it: the installed `peftw`, in a process of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PEFTW = Path(sys.executable).with_name("peftw")
Peftw = Callable[..., subprocess.CompletedProcess[str]]

CONFIG = """\
version: 1
name: desk
model:
  base: HuggingFaceTB/SmolLM2-135M-Instruct
datasets:
  - path: train.jsonl
training:
  max_steps: 2
  batch_size: 1
  max_length: 64
"""
EXAMPLE = (
    '{"messages": [{"role": "user", "content": "Are you open on %d May?"}, '
    '{"role": "assistant", "content": "Yes, until six."}]}\n'
)


@pytest.fixture
def peftw(tmp_path: Path) -> Peftw:
    """Run `peftw` in the test's folder and return what it printed and how it ended."""

    def run(*arguments: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = [str(PEFTW), *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A valid config with its data."""
    (tmp_path / "train.jsonl").write_text("".join(EXAMPLE % day for day in range(1, 9)))
    path = tmp_path / "desk.peft.yaml"
    path.write_text(CONFIG)
    return path
