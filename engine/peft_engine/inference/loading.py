"""Loading a base safely: what could crash this process is tried in another one first.

A native build of llama.cpp can die on a processor that it was not tested on (a known case are some with AMX), and so
can any build on a damaged file. A trial load in a child process turns that into a sentence. It is made once for each
state of library, trial, file and machine.
"""

import hashlib
import platform
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from peft_engine.catalog import Servable
from peft_engine.home import home
from peft_engine.inference.contract import Engine
from peft_engine.inference.footprint import SLOTS
from peft_engine.inference.residency import OnProgress
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError

_TRIAL_SECONDS = 300
"""A small model takes one second, a large one on a slow disk a few minutes."""

_INTERVAL = 0.2
"""Seconds between two looks at whether the trial is still wanted."""


def load_engine(model: Servable, on_progress: OnProgress, *, threads: int) -> Engine:
    """Load a model's base.

    Args:
        model: What is asked for; its adapters are loaded later, by their first request.
        on_progress: Told the share that is loaded; answers whether to go on.
        threads: Processor threads that compute.

    Raises:
        WorkbenchError: The engine is not installed, crashes here, or cannot load the files; or the load was given up.
    """
    # Before any library, native or not, sees what a stranger wrote.
    require_sound(model.weights)
    # Each engine is imported when it is needed: that alone loads its native library.
    if model.format == "gguf":
        require_library()
        try_in_child(model.weights, on_progress)
        from peft_engine.inference.llama import LlamaEngine

        return LlamaEngine(
            model.weights,
            context_length=model.context_length,
            threads=threads,
            slots=SLOTS,
            on_progress=on_progress,
        )
    if model.format == "safetensors":
        from peft_engine.inference.transformers import TransformersEngine

        return TransformersEngine(model.weights, context_length=model.context_length, threads=threads, slots=SLOTS)
    raise WorkbenchError(
        "base-not-servable",
        f"{model.base} is in the format {model.format}, which is not served.",
        "Convert it with `peftw convert`, or choose a GGUF or safetensors model.",
    )


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


def try_in_child(gguf: Path, on_progress: OnProgress = lambda _: True) -> None:
    """Load a base and compute with it in a child process, unless that went well before.

    Args:
        gguf: The base.
        on_progress: Asked, at no progress, whether to go on.

    Raises:
        WorkbenchError: It crashed (`serve-failed`, `out-of-memory`), was refused (`model-unreadable`), or was given up
            (`load-cancelled`).
    """
    stamp = home() / "probes" / _key(gguf)
    if stamp.exists():
        return
    code, words = _run_trial(gguf, on_progress)
    if code < 0:
        raise _crashed(gguf, signal.Signals(-code))
    if code > 0:
        raise WorkbenchError(
            "model-unreadable",
            f"llama.cpp cannot use {gguf.name}: {(words.strip().splitlines() or ['no reason given'])[-1]}",
            "Get the file again, or choose a model of a family that llama.cpp knows.",
        )
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()


def trial_command(gguf: Path) -> list[str]:
    """Return the command of a child process that tries a base."""
    return [sys.executable, "-P", "-m", "peft_engine.inference.llama.trial", str(gguf)]


def _run_trial(gguf: Path, on_progress: OnProgress) -> tuple[int, str]:
    """Return the exit code of a trial and what it said."""
    deadline = time.monotonic() + _TRIAL_SECONDS
    with subprocess.Popen(
        trial_command(gguf), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        while True:
            try:
                words = child.communicate(timeout=_INTERVAL)[1]
            except subprocess.TimeoutExpired:
                given_up, too_long = not on_progress(0.0), time.monotonic() > deadline
            else:
                return child.returncode, words
            if given_up or too_long:
                child.kill()
                raise _given_up(gguf) if given_up else _endless(gguf)


def _given_up(gguf: Path) -> WorkbenchError:
    return WorkbenchError("load-cancelled", f"The load of {gguf.name} was given up.", "Ask again if it is wanted.")


def _endless(gguf: Path) -> WorkbenchError:
    return WorkbenchError(
        "serve-failed",
        f"A trial with {gguf.name} did not finish in {_TRIAL_SECONDS} seconds.",
        "Choose a smaller model, or end what else keeps this machine busy.",
    )


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
    """Name a state of library, trial, model file and machine."""
    files = [gguf, Path(__file__).parent / "llama" / "trial.py", *sorted((require_library() / "lib").glob("*"))]
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    machine = (platform.node(), platform.machine(), platform.release())
    return hashlib.sha256(repr((states, machine)).encode()).hexdigest()[:32]
