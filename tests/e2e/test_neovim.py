"""The config language in an editor that is not VS Code: the client of a real Neovim against the real server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEOVIM = shutil.which("nvim")
SCRIPT = Path(__file__).with_name("neovim.lua")


@pytest.mark.skipif(NEOVIM is None, reason="Neovim is not installed (tools/install-system.sh installs it)")
def test_neovim_shows_a_fault_applies_its_fix_and_completes(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "hello"}\n')
    config = tmp_path / "demo.peft.yaml"
    config.write_text(
        "version: 1\nmodel:\n  base: org/model\ndatasets:\n  - path: a.jsonl\ntraining:\n  learning_rat: 2.0e-4\n"
    )
    environment = {
        **os.environ,
        "PEFTW_CONFIG": str(config),
        "PEFTW_SERVER": str(Path(sys.executable).parent / "peftw"),
    }
    done = subprocess.run(
        [str(NEOVIM), "--headless", "-u", "NONE", "-i", "NONE", "-c", f"luafile {SCRIPT}"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 4, done.stdout + done.stderr
    fault, fixed, hover, offered = lines
    assert fault == {"code": "PW101", "lnum": 6, "col": 2, "end_col": 14}
    assert fixed == {"fixed": "  learning_rate: 2.0e-4"}
    assert "training.learning_rate" in hover["hover"]
    assert "batch_size" in offered["offered"] and "learning_rate" not in offered["offered"]
