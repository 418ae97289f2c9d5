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
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil

from peft_engine.catalog import Servable
from peft_engine.home import home
from peft_engine.inference.contract import Engine
from peft_engine.inference.footprint import SLOTS
from peft_engine.inference.residency import OnProgress
from peft_engine.models.validation import require_sound
from peft_engine.settings import read_settings
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
            kept_bytes=read_settings().serving.kept_bytes(psutil.virtual_memory().total),
            on_progress=on_progress,
        )
    if model.format == "safetensors":
        from peft_engine.inference.transformers import TransformersEngine

        return TransformersEngine(model.weights, context_length=model.context_length, threads=threads, slots=SLOTS)
    if model.format == "onnx":
        require_library("onnxruntime_genai")
        provider = read_settings().serving.onnx_provider
        if provider != "cpu":
            # The trial's refusal would be taken for one of the files.
            from peft_engine.inference.onnx.providers import require_provider

            require_provider(provider)
        try_in_child(model.weights, on_progress, "onnxruntime_genai")
        from peft_engine.inference.onnx import OnnxEngine

        return OnnxEngine(
            model.weights,
            context_length=model.context_length,
            threads=threads,
            provider=provider,
            slots=SLOTS,
        )
    if model.format == "mlx":
        require_library("mlx_lm")
        try_in_child(model.weights, on_progress, "mlx_lm")
        from peft_engine.inference.mlx import MlxEngine

        return MlxEngine(model.weights, context_length=model.context_length, slots=SLOTS)
    raise WorkbenchError(
        "base-not-servable",
        f"{model.base} is in the format {model.format}, which is not served.",
        "Convert it with `peftw convert`, or choose a GGUF or safetensors model.",
    )


@dataclass(frozen=True)
class _Native:
    """A native library that loads models."""

    title: str
    distribution: str
    extra: str
    engine: str
    """The folder beside this file whose `trial` tries a base."""

    lacking: str
    """What cannot be done without it."""

    crash_remedy: str


Library = Literal["llama_cpp", "onnxruntime_genai", "mlx_lm"]
_NATIVE: dict[Library, _Native] = {
    "llama_cpp": _Native(
        title="llama.cpp",
        distribution="llama-cpp-python",
        extra="serve",
        engine="llama",
        lacking="no model can be served",
        crash_remedy="Install a portable build, made with CMAKE_ARGS=-DGGML_NATIVE=OFF, and try the model again.",
    ),
    "onnxruntime_genai": _Native(
        title="ONNX Runtime GenAI",
        distribution="onnxruntime-genai",
        extra="onnx",
        engine="onnx",
        lacking="no ONNX model can be served",
        crash_remedy="Take the model as GGUF or safetensors, or try another release of onnxruntime-genai.",
    ),
    "mlx_lm": _Native(
        title="MLX",
        distribution="mlx-lm",
        extra="mlx",
        engine="mlx",
        lacking="no MLX model can be served",
        crash_remedy="Take the model as GGUF or safetensors, or try another release of mlx.",
    ),
}
"""By the module that is imported."""


def require_library(library: Library = "llama_cpp") -> Path:
    """Return the folder of a native library without importing it.

    Raises:
        WorkbenchError: It is not installed (`extra-missing`).
    """
    spec = find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        native = _NATIVE[library]
        raise WorkbenchError(
            "extra-missing",
            f"{native.distribution} is not installed for {sys.executable}, so {native.lacking}.",
            f"Install it: {sys.executable} -m pip install 'peft-workbench[{native.extra}]'",
        )
    return Path(spec.submodule_search_locations[0])


def try_in_child(weights: Path, on_progress: OnProgress = lambda _: True, library: Library = "llama_cpp") -> None:
    """Load a base and compute with it in a child process, unless that went well before.

    Args:
        weights: The base, a file or a folder.
        on_progress: Asked, at no progress, whether to go on.
        library: What loads it.

    Raises:
        WorkbenchError: It crashed (`serve-failed`, `out-of-memory`), was refused (`model-unreadable`), or was given up
            (`load-cancelled`).
    """
    stamp = home() / "probes" / _key(weights, library)
    if stamp.exists():
        return
    native = _NATIVE[library]
    code, words = _run_trial(weights, on_progress, library)
    if code < 0:
        raise _crashed(weights, native, signal.Signals(-code))
    if code > 0:
        raise WorkbenchError(
            "model-unreadable",
            f"{native.title} cannot use {weights.name}: {(words.strip().splitlines() or ['no reason given'])[-1]}",
            f"Get the file again, or choose a model of a family that {native.title} knows.",
        )
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()


def trial_command(weights: Path, library: Library) -> list[str]:
    """Return the command of a child process that tries a base."""
    return [sys.executable, "-P", "-m", f"peft_engine.inference.{_NATIVE[library].engine}.trial", str(weights)]


def _run_trial(weights: Path, on_progress: OnProgress, library: Library) -> tuple[int, str]:
    """Return the exit code of a trial and what it said."""
    deadline = time.monotonic() + _TRIAL_SECONDS
    with subprocess.Popen(
        trial_command(weights, library),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
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
                raise _given_up(weights) if given_up else _endless(weights)


def _given_up(weights: Path) -> WorkbenchError:
    return WorkbenchError("load-cancelled", f"The load of {weights.name} was given up.", "Ask again if it is wanted.")


def _endless(weights: Path) -> WorkbenchError:
    return WorkbenchError(
        "serve-failed",
        f"A trial with {weights.name} did not finish in {_TRIAL_SECONDS} seconds.",
        "Choose a smaller model, or end what else keeps this machine busy.",
    )


def _crashed(weights: Path, native: _Native, number: signal.Signals) -> WorkbenchError:
    if number == signal.SIGKILL:
        return WorkbenchError(
            "out-of-memory",
            f"A trial with {weights.name} was killed, most likely because memory ran out.",
            "Close other programs, or choose a smaller model.",
        )
    return WorkbenchError(
        "serve-failed",
        f"{native.title} crashes on this machine with {weights.name} ({number.name}): its build does not suit the "
        "processor, or the file is damaged.",
        native.crash_remedy,
    )


def _key(weights: Path, library: Library) -> str:
    """Name a state of library, trial, model files and machine."""
    parts = sorted(weights.iterdir()) if weights.is_dir() else [weights]
    trial = Path(__file__).parent / _NATIVE[library].engine / "trial.py"
    files = [*parts, trial, *sorted(file for file in require_library(library).rglob("*") if ".so" in file.suffixes)]
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    machine = (platform.node(), platform.machine(), platform.release())
    return hashlib.sha256(repr((states, machine)).encode()).hexdigest()[:32]
