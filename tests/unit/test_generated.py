"""What is generated from the models is committed as it would be generated now (A2, W4)."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_schemas_and_reference_pages_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools/generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"run `make generate`: {done.stdout}{done.stderr}"
