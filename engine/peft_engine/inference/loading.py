"""Loading a base safely: what could crash this process is tried in another one first.

A native build of llama.cpp can die on a processor that it was not tested on (a known case are some with AMX), and so
can any build on a damaged file. A trial load in a child process turns that into a sentence. It is made once for each
state of library, file and machine.
"""

import hashlib
import platform
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from peft_engine.catalog import Servable
from peft_engine.home import home
from peft_engine.inference.contract import Engine
from peft_schemas.errors import WorkbenchError

_TRIAL_SECONDS = 300
"""A small model takes one second, a large one on a slow disk a few minutes."""


def load_engine(model: Servable, *, threads: int) -> Engine:
    """Load a model's base.

    Args:
        model: What is asked for; its adapter is loaded later, by its first request.
        threads: Processor threads that compute.

    Raises:
        WorkbenchError: llama.cpp is not installed, crashes here, or cannot load the file.
    """
    require_library()
    try_in_child(model.gguf)
    # Not before the trial: importing it loads the native library.
    from peft_engine.inference.llama import LlamaEngine

    return LlamaEngine(model.gguf, context_length=model.context_length, threads=threads)


def require_library() -> Path:
    """Return the folder of llama-cpp-python without importing it.

    Raises:
        WorkbenchError: It is not installed (`extra-missing`).
    """
    spec = find_spec("llama_cpp")
    if spec is None or not spec.submodule_search_locations:
        raise WorkbenchError(
            "extra-missing",
            f"llama-cpp-python is not installed for {sys.executable}, so no model can be served.",
            f"Install it: {sys.executable} -m pip install 'peft-workbench[serve]'",
        )
    return Path(spec.submodule_search_locations[0])


def try_in_child(gguf: Path) -> None:
    """Load a base and compute with it in a child process, unless that went well before.

    Raises:
        WorkbenchError: It crashed (`serve-failed`, `out-of-memory`) or was refused (`model-unreadable`).
    """
    stamp = home() / "probes" / _key(gguf)
    if stamp.exists():
        return
    command = [sys.executable, "-P", "-m", "peft_engine.inference.llama.trial", str(gguf)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise WorkbenchError(
            "serve-failed",
            f"A trial with {gguf.name} did not finish in {_TRIAL_SECONDS} seconds.",
            "Choose a smaller model, or end what else keeps this machine busy.",
        ) from error
    if child.returncode < 0:
        raise _crashed(gguf, signal.Signals(-child.returncode))
    if child.returncode > 0:
        raise WorkbenchError(
            "model-unreadable",
            f"llama.cpp cannot use {gguf.name}: {(child.stderr.strip().splitlines() or ['no reason given'])[-1]}",
            "Get the file again, or choose a model of a family that llama.cpp knows.",
        )
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()


def _crashed(gguf: Path, number: signal.Signals) -> WorkbenchError:
    if number == signal.SIGKILL:
        return WorkbenchError(
            "out-of-memory",
            f"A trial with {gguf.name} was killed, most likely because memory ran out.",
            "Close other programs, or choose a smaller model.",
        )
    return WorkbenchError(
        "serve-failed",
        f"llama.cpp crashes on this machine with {gguf.name} ({number.name}): its build does not suit the processor, "
        "or the file is damaged.",
        "Install a portable build, made with CMAKE_ARGS=-DGGML_NATIVE=OFF, and try the model again.",
    )


def _key(gguf: Path) -> str:
    """Name a state of library, model file and machine."""
    files = [gguf, *sorted((require_library() / "lib").glob("*"))]
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    machine = (platform.node(), platform.machine(), platform.release())
    return hashlib.sha256(repr((states, machine)).encode()).hexdigest()[:32]
