"""Whether a model's files are what they say they are, told from their headers before anything loads them."""

import re
from dataclasses import dataclass
from pathlib import Path

from peft_engine.facts import FlawKind, ModelFlaw
from peft_engine.models.damage import DamagedFile, TruncatedFile
from peft_engine.models.formats import Detected, detect, serving_answer
from peft_engine.models.formats.archives import zip_names
from peft_engine.models.formats.data import formats_data
from peft_engine.models.formats.genai import read_genai
from peft_engine.models.formats.npz import read_npz_header
from peft_engine.models.formats.onnx import check_onnx
from peft_engine.models.gguf_header import check_gguf
from peft_engine.models.regular import special_file
from peft_engine.models.safetensors_header import StoredTensor, check_safetensors
from peft_engine.models.tokenizer_files import read_json
from peft_schemas.errors import WorkbenchError

SAFETENSORS_INDEX = "model.safetensors.index.json"

_FLOATS = frozenset({"float64", "float32", "float16", "bfloat16"})
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "tekken.json")
_MOST_SHARDS = 1000
"""A name can announce 99,999."""

_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
"""How llama.cpp names the files of a model that is split."""

_AGAIN = "Get the file again: a download may have been cut off."


@dataclass(frozen=True)
class Flaw(ModelFlaw):
    """Why a model cannot be loaded, and what to do."""

    remedy: str

    def error(self) -> WorkbenchError:
        """Return the flaw as an error."""
        return WorkbenchError(self.kind, self.message, self.remedy)


def require_sound(path: Path) -> None:
    """Refuse a model that would fail, or do harm, when it is loaded.

    Args:
        path: A file of any format, an adapter among them, or a folder.

    Raises:
        WorkbenchError: It has a flaw, by whose kind the code goes; it is of a format that nothing here loads
            (`not-supported`, `pickle-refused`); or it cannot be read (`model-unreadable`).
    """
    try:
        flaw = find_flaw(path)
        detected = detect(path)
    except OSError as error:
        raise WorkbenchError(
            "model-unreadable", f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
    if flaw is not None:
        raise flaw.error()
    if formats_data().formats[detected.format].served_by is None:
        serving_answer(detected).require()


def find_flaw(path: Path) -> Flaw | None:
    """Return the first flaw of a model, None when its headers are in order.

    Args:
        path: A file of any format, told by its content, or a folder. Of pickles nothing is said: they are refused as
            they are.

    Raises:
        OSError: A file that is there cannot be read.
    """
    special = special_file(path) if path.is_dir() else None
    if special is not None:
        message = f"{special.name} cannot be loaded: it is no regular file."
        return Flaw("model-damaged", message, "Put the file itself in its place, or take it out of the folder.")
    detected = detect(path)
    try:
        match detected.format:
            case "gguf" if not path.is_dir():
                return _flaw_of_gguf(path)
            case "safetensors" if not path.is_dir():
                check_safetensors(path)
            case "mlx":
                return _flaw_of_mlx(detected)
            case "onnx":
                for graph in detected.files:
                    check_onnx(graph)
                if detected.layout == "genai":
                    read_genai(path)
            case "safetensors" | "unknown" if path.is_dir():
                return _flaw_of_folder(path)
    except DamagedFile as error:
        return _damage(path, error)
    return None


def gguf_parts(path: Path) -> list[Path]:
    """Return the files of a GGUF model by the name of one of them, which need not be there.

    Raises:
        DamagedFile: The name announces more than any model has.
    """
    split = _SPLIT.fullmatch(path.name)
    if split is None:
        return [path]
    count = int(split["count"])
    if count > _MOST_SHARDS:
        raise DamagedFile(f"its name says that there are {count} parts")
    return [path.with_name(f"{split['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]


def _flaw_of_gguf(path: Path) -> Flaw | None:
    for part in gguf_parts(path):
        if not part.is_file():
            return _missing(part)
        try:
            check_gguf(part)
        except DamagedFile as error:
            return _damage(part, error)
    return None


def _flaw_of_mlx(detected: Detected) -> Flaw | None:
    archives = [file for file in detected.files if zip_names(file) is not None]
    for file in archives:
        try:
            read_npz_header(file)
        except DamagedFile as error:
            return _damage(file, error)
    if detected.path.is_dir():
        return _flaw_of_vocabulary(detected.path) if archives else _flaw_of_folder(detected.path)
    if not archives:
        check_safetensors(detected.path)
    return None


def _flaw_of_folder(folder: Path) -> Flaw | None:
    config = read_json(folder / "config.json")
    if not config:
        return _missing(folder / "config.json")
    tensors: list[StoredTensor] = []
    for name, promised in shards(folder).items():
        held = _tensors_of_shard(folder, name, promised)
        if isinstance(held, Flaw):
            return held
        tensors += held
    packed = "quantization_config" in config or "quantization" in config
    odd = next((tensor for tensor in tensors if _is_matrix(tensor) and tensor.dtype not in _FLOATS), None)
    if odd is not None and not packed:
        return Flaw(
            "model-dtype-wrong",
            f"The weight {odd.name} of {folder.name} is stored as {odd.dtype}, "
            "and config.json does not say how it was packed.",
            "Take the model in float32, bfloat16 or float16, or one whose config.json has its quantization_config.",
        )
    return _flaw_of_vocabulary(folder)


def _flaw_of_vocabulary(folder: Path) -> Flaw | None:
    if any((folder / name).is_file() for name in _VOCABULARIES):
        return None
    return Flaw(
        "model-tokenizer-missing",
        f"{folder.name} has no tokenizer: none of {', '.join(_VOCABULARIES[:3])} is there.",
        "Copy the tokenizer's files from where the model came from.",
    )


def shards(folder: Path) -> dict[str, set[str]]:
    """Return the names of a folder's files with weights, and of the tensors that the index places in each."""
    listed = read_json(folder / SAFETENSORS_INDEX).get("weight_map")
    placed: dict[str, set[str]] = {}
    for tensor, name in listed.items() if isinstance(listed, dict) else ():
        if isinstance(name, str):
            placed.setdefault(name, set()).add(tensor)
    return placed or {"model.safetensors": set()}


def _tensors_of_shard(folder: Path, name: str, promised: set[str]) -> list[StoredTensor] | Flaw:
    if Path(name).name != name:
        message = f"it names {name[:80]}, which is no file of the model's folder"
        return _damage(folder / SAFETENSORS_INDEX, DamagedFile(message))
    if not (folder / name).is_file():
        return _missing(folder / name)
    try:
        held = check_safetensors(folder / name)
    except DamagedFile as error:
        return _damage(folder / name, error)
    lacking = promised - {tensor.name for tensor in held}
    if lacking:
        return _damage(folder / name, DamagedFile(f"it lacks {min(lacking)}, which the index places there"))
    return held


def _is_matrix(tensor: StoredTensor) -> bool:
    return len(tensor.shape) == 2 and tensor.name.endswith(".weight")


def _missing(file: Path) -> Flaw:
    return Flaw(
        "model-incomplete",
        f"{file.parent.name} is not complete: {file.name} is missing.",
        "Get the model again, all of its files, into one folder.",
    )


def _damage(file: Path, error: DamagedFile) -> Flaw:
    kind: FlawKind = "model-truncated" if isinstance(error, TruncatedFile) else "model-damaged"
    return Flaw(kind, f"{file.name} cannot be loaded: {error}.", _AGAIN)
