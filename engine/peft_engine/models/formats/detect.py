"""The format of a model's file or folder. The content decides; what the file is called does not matter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from peft_engine.models.damage import DamagedFile, TruncatedFile
from peft_engine.models.formats.archives import ZIP_MAGIC, zip_names
from peft_engine.models.formats.coreml import MANIFEST, package_model, read_coreml
from peft_engine.models.formats.data import Format
from peft_engine.models.formats.genai import CONFIG
from peft_engine.models.formats.mlx import mlx_packing
from peft_engine.models.formats.onnx import is_onnx
from peft_engine.models.formats.pickles import looks_pickled
from peft_engine.models.gguf_header import GGUF_MAGIC
from peft_engine.models.regular import stat_file
from peft_engine.models.safetensors_header import read_safetensors_header, read_safetensors_metadata
from peft_engine.models.tokenizer_files import read_json

__all__ = ["Detected", "Format", "detect"]

_NUMPY = ".npy"
_PICKLE_IN_ZIP = "data.pkl"
_MOST_FILES = 1000
"""Of a folder that are looked at."""

_PREFERRED: tuple[Format, ...] = ("safetensors", "gguf", "mlx", "onnx", "pytorch")
"""Of a folder that holds several formats, the first of these is taken: what is safe before what is not."""

Layout = Literal["genai"]


@dataclass(frozen=True)
class Detected:
    """What a path holds."""

    path: Path
    """As it was asked for."""

    format: Format
    files: tuple[Path, ...] = ()
    """The files of that format."""

    layout: Layout | None = None
    """A way in which a folder is arranged for one engine: `genai` for ONNX Runtime GenAI."""


def detect(path: Path) -> Detected:
    """Return the format of a file or folder. Nothing in it is unpacked, unpickled or run.

    Raises:
        OSError: It is not there or cannot be read.
    """
    if path.is_dir():
        return _folder(path)
    stat_file(path)
    return Detected(path, _file(path), (path,))


def _folder(folder: Path) -> Detected:
    if (folder / MANIFEST).is_file():
        try:
            read_coreml(folder)
            return Detected(folder, "coreml", (package_model(folder),))
        except (DamagedFile, OSError):
            pass
    files = sorted(file for file in folder.iterdir() if file.is_file())[:_MOST_FILES]
    found: dict[Format, list[Path]] = {}
    for file in files:
        found.setdefault(_file(file), []).append(file)
    best: Format = next((format_ for format_ in _PREFERRED if format_ in found), "unknown")
    if best == "safetensors" and mlx_packing(read_json(folder / "config.json")):
        best, found = "mlx", {"mlx": found["safetensors"]}
    layout: Layout | None = "genai" if best == "onnx" and (folder / CONFIG).is_file() else None
    return Detected(folder, best, tuple(found.get(best, ())), layout)


def _file(path: Path) -> Format:
    with path.open("rb") as file:
        start = file.read(9)
    if start.startswith(GGUF_MAGIC):
        return "gguf"
    if start.startswith(ZIP_MAGIC):
        return _archive(path)
    if start[8:9] == b"{":
        try:
            read_safetensors_header(path)
            return "mlx" if read_safetensors_metadata(path).get("format") == "mlx" else "safetensors"
        except TruncatedFile:
            return "safetensors"
        except DamagedFile:
            pass
    if start and is_onnx(path):
        return "onnx"
    try:
        read_coreml(path)
        return "coreml"
    except DamagedFile:
        return "pytorch" if looks_pickled(path) else "unknown"


def _archive(path: Path) -> Format:
    names = zip_names(path) or []
    if any(name.rpartition("/")[2] == _PICKLE_IN_ZIP for name in names):
        return "pytorch"
    return "mlx" if names and all(name.endswith(_NUMPY) for name in names) else "unknown"
