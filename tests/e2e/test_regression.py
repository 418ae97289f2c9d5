"""U22: a build that became slower is caught by the stored ratios."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GUARD

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "benchmarks/baselines/lsp.json"

SLOWED = f"""\
import runpy, sys, time
from importlib.machinery import PathFinder

runpy.run_path({str(GUARD / "sitecustomize.py")!r})

class Slowed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target) if name == "peft_daemon.language.judge" else None
        if spec is not None:
            spec.loader.exec_module = lambda module: _load(type(spec.loader), spec.loader, module)
        return spec

def _load(kind, loader, module):
    kind.exec_module(loader, module)
    judge = module.judge
    module.judge = lambda *arguments: (time.sleep(0.05), judge(*arguments))[1]

sys.meta_path.insert(0, Slowed)
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="the peer of the benchmark needs Node.js with npm")
def test_U22_a_build_with_a_sleep_in_every_check_is_worse_than_its_baseline(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOWED)
    figures = tmp_path / "figures.json"
    run = [sys.executable, "benchmarks/lsp/run.py", "--rounds", "1", "--lines", "200", "--json", str(figures)]
    subprocess.run(run, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=True, timeout=500)
    judged = subprocess.run(
        [sys.executable, "benchmarks/regression.py", str(figures), str(BASELINE)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    slower = {line.split("  ")[0] for line in judged.stdout.splitlines() if line.endswith("worse")}
    assert {"keystroke to diagnostics, p50, 200 lines", "keystroke to diagnostics, p95, 200 lines"} <= slower
    assert judged.returncode == 1


def test_U22_what_is_as_it_was_is_not_worse(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/regression.py", str(BASELINE), str(BASELINE)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60).returncode == 0
