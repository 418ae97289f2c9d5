"""Which optional parts an interpreter has: what training and serving import, looked up without importing it."""

import json
import subprocess
from importlib import metadata, util
from typing import Literal

Extra = Literal["train", "serve"]

NEEDED: dict[Extra, dict[str, str]] = {
    "train": {
        "torch": "torch",
        "transformers": "transformers",
        "peft": "peft",
        "accelerate": "accelerate",
        "safetensors": "safetensors",
        "gguf": "gguf",
        "nvidia-ml-py": "pynvml",
    },
    "serve": {"llama-cpp-python": "llama_cpp", "starlette": "starlette", "uvicorn": "uvicorn", "jinja2": "jinja2"},
}
"""Distribution to import name, by the extra that brings it."""

_LONGEST_LOOK = 60
"""Seconds after which another interpreter counts as one that cannot run."""


def versions() -> dict[str, str | None]:
    """Return the version of each optional distribution in this interpreter, None where it is absent."""
    found: dict[str, str | None] = {}
    for needed in NEEDED.values():
        for distribution, module in needed.items():
            try:
                found[distribution] = metadata.version(distribution) if util.find_spec(module) else None
            except metadata.PackageNotFoundError:
                found[distribution] = None
    return found


def versions_in(python: str) -> dict[str, str | None] | None:
    """Return the same for another interpreter, None when it cannot run or has no PEFT Workbench."""
    command = [python, "-m", "peft_engine.extras"]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_LONGEST_LOOK, check=True)
        found = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def missing(extra: Extra, found: dict[str, str | None]) -> list[str]:
    """Return the distributions of an extra that are absent."""
    return [distribution for distribution in NEEDED[extra] if found.get(distribution) is None]


if __name__ == "__main__":
    print(json.dumps(versions()))  # noqa: T201  (read by versions_in)
