"""Attack 8: pickles that run a command when they are read, under every name and in every wrapping.

CVE-2025-32434, CVE-2025-10155, -10156, -10157. The command would write a file; no test may find it. Nothing is read by
other means when the reader of weights alone refuses.
"""

import io
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from peft_engine.models.conversion import convert_model
from peft_engine.models.describe import describe_model
from peft_engine.models.formats import detect
from peft_engine.models.pickled.rewriting import write_safetensors
from peft_engine.models.resolve import resolve_base
from peft_engine.models.validation import find_flaw, require_sound
from peft_schemas.conversion import ConversionRequest
from peft_schemas.errors import WorkbenchError


class Command:
    """What unpickles to a command that leaves a marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.marker}",))


def bare(marker: Path) -> bytes:
    return pickle.dumps({"weight": Command(marker)})


def letters(marker: Path) -> bytes:
    return pickle.dumps(Command(marker), protocol=0)


def archive(marker: Path) -> bytes:
    content = io.BytesIO()
    torch.save({"weight": torch.ones(4), "more": Command(marker)}, content)
    return content.getvalue()


def old(marker: Path) -> bytes:
    content = io.BytesIO()
    torch.save({"weight": torch.ones(4), "m": Command(marker)}, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def broken_checksum(marker: Path) -> bytes:
    """An archive whose checksum is wrong, at which scanners gave up while PyTorch read it."""
    content = bytearray(archive(marker))
    place = content.index(b"PK\x01\x02")
    content[place + 16 : place + 20] = b"\xde\xad\xbe\xef"
    return bytes(content)


def in_an_archive(marker: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as outer:
        outer.writestr("model/data.pkl", bare(marker))
        outer.writestr("inner.zip", archive(marker))
    return content.getvalue()


def in_a_tar(marker: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as outer:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = bare(marker)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            outer.addfile(info, io.BytesIO(data))
    return content.getvalue()


PLANTED: list[Callable[[Path], bytes]] = [bare, letters, archive, old, broken_checksum, in_an_archive, in_a_tar]
NAMES = ["pytorch_model.bin", "model.pt", "weights.safetensors", "model.gguf", "model"]


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "executed"


UNPICKLE = """
import pickle, sys, torch
for name in sys.argv[1:]:
    try:
        torch.load(name, weights_only=False)
    except Exception:
        pickle.load(open(name, "rb"))
"""


def test_each_command_would_run_if_its_file_were_unpickled(tmp_path: Path) -> None:
    """That the marker is missing elsewhere means something only if this leaves it."""
    files, markers = [], []
    for planted in PLANTED:
        markers.append(tmp_path / f"{planted.__name__}-executed")
        files.append(tmp_path / planted.__name__)
        content = planted(markers[-1])
        if planted is in_an_archive:
            content = zipfile.ZipFile(io.BytesIO(content)).read("model/data.pkl")
        if planted is in_a_tar:
            content = bare(markers[-1])
        files[-1].write_bytes(content)
    subprocess.run([sys.executable, "-c", UNPICKLE, *files], check=True, capture_output=True)
    assert all(marker.exists() for marker in markers)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_E16_looking_at_a_planted_pickle_runs_nothing_and_refuses_it(
    tmp_path: Path, marker: Path, planted: Any, name: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / name).write_bytes(planted(marker))
    assert detect(folder / name).format in ("pytorch", "unknown")
    assert find_flaw(folder / name) is None
    describe_model(resolve_base(str(folder)))
    with pytest.raises(WorkbenchError) as error:
        require_sound(folder / name)
    assert error.value.code in ("pickle-refused", "not-supported")
    assert not marker.exists()


@pytest.mark.parametrize("planted", [archive, old, in_a_tar], ids=lambda planted: planted.__name__)
def test_E16_reading_a_planted_pickle_runs_nothing_and_makes_nothing(
    tmp_path: Path, marker: Path, planted: Any
) -> None:
    (tmp_path / "model.pt").write_bytes(planted(marker))
    with pytest.raises(WorkbenchError, match="was not converted") as error:
        write_safetensors(tmp_path / "model.pt", tmp_path / "x.safetensors")
    assert error.value.code == "pickle-refused"
    assert "weights_only" not in error.value.message
    assert planted is in_a_tar or "posix.system" in error.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_E16_a_refused_pickle_in_a_folder_ends_the_whole_conversion(tmp_path: Path, marker: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(bare(marker))
    request = ConversionRequest(source=str(folder), to="safetensors", output=str(tmp_path / "safe"))
    with pytest.raises(WorkbenchError, match="was not converted"):
        convert_model(request)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


CONFINED = """
import os, socket, subprocess, sys, resource
from pathlib import Path
from peft_engine.models.pickled.confinement import confine
assert confine(memory=2**28, file_bytes=2**20, seconds=60)
done = []
for name, act in {
    "connection": lambda: socket.socket(),
    "pair": lambda: socket.socketpair(),
    "program": lambda: subprocess.run(["true"]),
    "shell": lambda: os.execv("/bin/true", ["true"]),
    "memory": lambda: bytearray(2**30),
    "file": lambda: Path(sys.argv[1]).write_bytes(bytes(2**21)),
}.items():
    try:
        act()
        done.append(name)
    except (OSError, MemoryError):
        pass
print(done, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the filter of system calls is Linux's")
def test_E16_what_reads_pickles_can_open_no_connection_and_start_no_program(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)" + CONFINED]
    child = subprocess.run([*command, str(tmp_path / "big")], capture_output=True, text=True, check=False)
    assert child.stdout.strip() == "[]", child.stderr
