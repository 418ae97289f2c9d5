"""The record of where and with what a run was made, so that it can be made again."""

import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peft_engine.datasets import LoadedDataset
from peft_engine.files import sha256
from peft_engine.hardware import detect
from peft_engine.models import ResolvedBase
from peft_engine.packages import versions
from peft_schemas.config import RunConfig

_PACKAGES = (
    "peft-workbench", "torch", "transformers", "peft", "accelerate", "safetensors", "tokenizers", "gguf", "numpy",
    "bitsandbytes", "unsloth", "unsloth_zoo", "liger-kernel",
)  # fmt: skip
_GIT_TIMEOUT = 10.0


def record_environment(
    config: RunConfig, folder: Path, base: ResolvedBase, datasets: Sequence[LoadedDataset], threads: int
) -> dict[str, Any]:
    """Return everything a rerun needs to be the same run.

    Args:
        config: The run's config, whose seed is recorded.
        folder: The folder of the user's config file, whose git state is recorded.
        base: The model that is trained.
        datasets: The data as it was read, that for evaluation too; the files' hashes are recorded.
        threads: CPU threads that torch computes with; another number changes the last bits of a sum.
    """
    return {
        "python": sys.version,
        "platform": platform.platform(),
        "packages": versions(_PACKAGES),
        "seed": config.training.seed,
        "threads": threads,
        "git": _git_state(folder),
        "base": _base(base),
        "datasets": [
            {
                "path": str(dataset.path),
                "sha256": dataset.sha256,
                "format": dataset.format,
                "examples": len(dataset.examples),
            }
            for dataset in datasets
        ],
        "hardware": detect().model_dump(mode="json"),
    }


def _base(base: ResolvedBase) -> dict[str, Any]:
    folder = base.hf_dir
    files = [] if folder is None else sorted(file for file in folder.iterdir() if file.is_file())
    return {
        "id": base.base,
        "revision": base.revision,
        "origin": base.origin,
        "folder": str(folder),
        "files": {file.name: file.stat().st_size for file in files},
        "sha256": {file.name: sha256(file) for file in files},
    }


def _git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit that the config belongs to and whether files differ from it; None outside a repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=_GIT_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
