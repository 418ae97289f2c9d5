"""PyTorch's pickles as safetensors. The pickles are read by a confined process and by nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from peft_engine.models.describe import is_no_model
from peft_engine.models.formats import detect
from peft_engine.models.validation import SAFETENSORS_INDEX
from peft_schemas.errors import WorkbenchError

_BESIDE = (
    "config.json", "generation_config.json", "*.jinja", "tokenizer*.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
)  # fmt: skip
"""What a model's folder holds beside weights, none of it code."""

_MOST_SECONDS = 4 * 3600
_MEMORY = 2 * 2**30
"""Bytes of addresses beside three times the file: what PyTorch itself takes."""


def write_safetensors(source: Path, target: Path) -> None:
    """Convert a file of pickles, or a folder whose weights are in such files.

    Args:
        source: A `.bin`, `.pt` or `.pth` file whatever it is called, or a folder.
        target: For a file the file to write, for a folder the folder; not there yet.

    Raises:
        WorkbenchError: A file holds more than weights, or is damaged (`pickle-refused`). Nothing else tried to read it.
    """
    if not source.is_dir():
        _convert(source, target)
        return
    files = [file for file in detect(source).files if not is_no_model(file.name)]
    names = {file.name: _renamed(file.name, alone=len(files) == 1) for file in files}
    target.mkdir()
    placed = {tensor: names[file.name] for file in files for tensor in _convert(file, target / names[file.name])}
    if len(files) > 1:
        total = sum((target / name).stat().st_size for name in names.values())
        index = {"metadata": {"total_size": total}, "weight_map": placed}
        (target / SAFETENSORS_INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
    for pattern in _BESIDE:
        for file in source.glob(pattern):
            if file.is_file():
                shutil.copyfile(file, target / file.name)


def _renamed(name: str, *, alone: bool) -> str:
    return "model.safetensors" if alone else f"{Path(name).stem.replace('pytorch_model', 'model')}.safetensors"


def _convert(source: Path, target: Path) -> list[str]:
    """Let the confined process convert one file, and return the names of its tensors."""
    memory = 3 * source.stat().st_size + _MEMORY
    command = [sys.executable, "-P", "-m", "peft_engine.models.pickled.reader", str(source), str(target), str(memory)]
    # Nothing of the user's environment: no keys, no proxies.
    environment = {"PATH": "", "HOME": str(target.parent), "OMP_NUM_THREADS": "1"}
    environment |= {name: os.environ[name] for name in ("PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    try:
        child = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            timeout=_MOST_SECONDS,
            check=False,
        )
        answer = _answer(child.stdout)
    except subprocess.TimeoutExpired:
        answer = {"refused": "it took too long"}
    if "tensors" in answer:
        return list(answer["tensors"])
    target.unlink(missing_ok=True)
    reason = answer.get("refused", "the process that read it was stopped at its limits")
    raise WorkbenchError(
        "pickle-refused",
        f"{source.name} was not converted: {reason}.",
        "Take the model as safetensors or GGUF from its makers; a file like this one can be made to run code.",
    )


def _answer(printed: str) -> dict[str, Any]:
    try:
        found = json.loads((printed.strip().splitlines() or [""])[-1])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
