"""Starting each contestant in a process of its own, on the same model, threads, slots and context."""

import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("PEFTW_CACHE") or Path.home() / ".cache/peft-workbench")
SLOTS = 4
CONTEXT = 2048


@dataclass(frozen=True)
class Server:
    """A contestant that answers."""

    name: str
    url: str
    token: str
    pid: int
    models: tuple[str, ...]
    """The base, then the base under each adapter; equal where the adapter is chosen otherwise."""

    extras: tuple[dict[str, Any], ...] = field(default=())
    """What a request carries beside, for each of `models`."""


def environment() -> Path:
    """Return the Python of the peers' environment, which is made at the first call and sees ours behind its own."""
    requirements = HERE / "requirements.txt"
    versions = "-".join(line.replace("==", "-") for line in requirements.read_text().split()[:1])
    folder = CACHE / f"benchmark-{versions}"
    python = folder / "bin/python"
    if not (folder / "complete").is_file():
        print(f"making the peers' environment in {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        theirs = next((folder / "lib").glob("python*/site-packages"))
        (theirs / "ours.pth").write_text(ours + "\n")
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
        (folder / "complete").touch()
    return python


def example_script() -> Path:
    """Return the batching server of llama-cpp-python's examples, which only its source distribution has."""
    wanted = f"llama-cpp-python=={version('llama-cpp-python')}"
    script = CACHE / f"benchmark-{wanted.replace('==', '-')}-example" / "server.py"
    if not script.is_file():
        print(f"fetching the examples of {wanted}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            fetch = ["download", "-q", "--no-deps", "--no-binary", "llama-cpp-python", "-d", folder, wanted]
            subprocess.run([sys.executable, "-m", "pip", *fetch], check=True)
            with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
                name = next(name for name in archive.getnames() if name.endswith("/examples/server/server.py"))
                content = archive.extractfile(name)
                assert content is not None
                script.parent.mkdir(parents=True, exist_ok=True)
                script.write_bytes(content.read())
    return script


@contextmanager
def ours(home: Path, models: Sequence[str], threads: int) -> Iterator[Server]:
    """Our inference process, whose home has the models already."""
    command = [sys.executable, "-m", "peft_engine.inference", "--threads", str(threads), "--home", str(home)]
    with _process(command) as child:
        record = home / "serve.json"
        _wait(lambda: record.is_file(), child)
        found = json.loads(record.read_text())
        yield Server("ours", found["url"], found["token"], child.pid, tuple(models), ({},) * len(models))


@contextmanager
def llama_cpp_server(model: Path, threads: int) -> Iterator[Server]:
    """llama-cpp-python's own server, which has one adapter at most and serves one request at a time."""
    port = _free_port()
    command = [environment(), "-m", "llama_cpp.server", "--model", model, "--n_ctx", CONTEXT, "--port", port]
    command += ["--n_threads", threads, "--n_threads_batch", threads, "--interrupt_requests", "False"]
    with _process(command) as child:
        url = f"http://127.0.0.1:{port}/v1"
        _wait(lambda: _answers(f"{url}/models"), child)
        yield Server("llama-cpp-python's server", url, "none", child.pid, ("base",), ({},))


@contextmanager
def llama_cpp_example(model: Path, threads: int) -> Iterator[Server]:
    """The batching server of llama-cpp-python's examples, whose adapters are fixed at the start."""
    port = _free_port()
    command = [environment(), HERE / "example_server.py", example_script(), model, threads, SLOTS, CONTEXT, port]
    with _process(command) as child:
        url = f"http://127.0.0.1:{port}/v1"
        _wait(lambda: _answers(f"{url}/models"), child)
        yield Server("llama-cpp-python's example", url, "none", child.pid, ("base",), ({},))


@contextmanager
def xllamacpp(model: Path, adapters: Sequence[Path], threads: int) -> Iterator[Server]:
    """llama.cpp's server, in xllamacpp's build."""
    script = HERE / "xllamacpp_server.py"
    with _process([environment(), script, model, threads, SLOTS, CONTEXT, *adapters]) as child:
        assert child.stdout is not None
        found = None
        while found is None:
            found = re.search(rb"https?://\S+", child.stdout.readline())
            if child.poll() is not None:
                raise SystemExit("xllamacpp did not start")
        url = found.group().decode()
        chosen = [{"lora": [{"id": n, "scale": float(n == at)} for n in range(len(adapters))]}
                  for at in range(-1, len(adapters))]  # fmt: skip
        models = ("base",) * len(chosen)
        _wait(lambda: _answers(f"{url}/health"), child)
        yield Server("xllamacpp", f"{url}/v1", "none", child.pid, models, tuple(chosen))


def surroundings() -> dict[str, str]:
    """Return the environment that everybody computes in."""
    # Waiting threads that spin would make each contestant pay for what else the machine does.
    return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}


@contextmanager
def _process(command: Sequence[Any]) -> Iterator["subprocess.Popen[bytes]"]:
    child = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=surroundings()
    )
    try:
        yield child
    finally:
        child.terminate()
        child.communicate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code < 500
    except httpx.HTTPError:
        return False


def _wait(ready: Any, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 300
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("a server did not start")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
