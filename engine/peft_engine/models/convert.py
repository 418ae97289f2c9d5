"""The child process that downloads or converts a base model: `python -m peft_engine.models.convert REQUEST FOLDER`.

It prints one JSON object a line: `{"progress": sentence}` or `{"error": report}`. The folder appears whole, by a
rename, under a lock that only one process at a time holds; what a killed predecessor left is removed. When whoever
started it goes away, so does this process.
"""

import errno
import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from filelock import FileLock

from peft_engine.files import fsync_dir
from peft_engine.models.cuts import pre_tokenizer_of
from peft_engine.models.fetched import damaged_files, forget
from peft_engine.models.gguf_header import read_gguf_header
from peft_engine.models.hub_client import StrayDownload, guard_downloads
from peft_engine.models.resolve import GGUF_NAME, remedy_for
from peft_schemas.errors import WorkbenchError

_WANTED = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*.py"]
_ATTEMPTS = 2
"""How often a model is downloaded whose files are not what the hub's hashes say."""

_CUT = "tokenizer.ggml.pre"
"""The key of a GGUF file under which it names how texts are cut before bytes are merged."""


def main(arguments: list[str]) -> int:
    """Do the request and return the exit code."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    request = json.loads(arguments[0])
    try:
        if request["gguf"] is None:
            _download(request["base"], request["revision"])
        else:
            _convert_once(request["base"], Path(request["gguf"]), Path(arguments[1]))
    except WorkbenchError as error:
        _say({"error": error.report().model_dump()})
        return 1
    return 0


def _die_with_parent() -> None:
    # The other end of the pipe is the parent's and never written to: reading ends when the parent closes it or dies.
    # Unbuffered, because a buffer's lock would be held when the interpreter ends.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201  (the protocol with the parent)


def _download(base: str, revision: str | None) -> None:
    guard_downloads()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    _say({"progress": f"downloading {base}"})
    try:
        for _ in range(_ATTEMPTS):
            snapshot = snapshot_download(base, revision=revision, allow_patterns=_WANTED)
            damaged = damaged_files(Path(snapshot))
            if not damaged:
                return
            for file in damaged:
                forget(file)
            _say({"progress": f"downloading {base} again, because {damaged[0].name} came damaged"})
    except StrayDownload as error:
        raise WorkbenchError(
            "model-missing",
            f"The model hub sent the download of {base} to {error}, which is no place that a model comes from.",
            "Check HF_ENDPOINT and your network; nothing was fetched from there.",
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise _disk_full(base) from error
        if isinstance(error, HfHubHTTPError):
            reason = "the model hub does not have it, or wants you to log in"
        else:
            reason = "the model hub cannot be reached"
        raise WorkbenchError(
            "model-missing", f"{base} is not on this machine and {reason}.", remedy_for(base)
        ) from error
    raise WorkbenchError(
        "model-missing",
        f"{damaged[0].name} of {base} came {_ATTEMPTS} times with other content than the hub's hash, and is not kept.",
        "Try again, and look whether a proxy or another mirror in HF_ENDPOINT alters what it passes on.",
    )


def _convert_once(base: str, gguf: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if (folder / "config.json").is_file():
            return
        making = folder.parent / f".{folder.name}.making"
        shutil.rmtree(making, ignore_errors=True)
        try:
            making.mkdir()
            _say({"progress": f"converting {base}, which is done once"})
            _convert(base, gguf, making)
            _link_or_copy(gguf, making / GGUF_NAME)
            for file in making.iterdir():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
            fsync_dir(making)
            making.rename(folder)
            fsync_dir(folder.parent)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _disk_full(base) from error
            raise
        finally:
            shutil.rmtree(making, ignore_errors=True)


def _convert(base: str, gguf: Path, folder: Path) -> None:
    """Dequantise a GGUF file to float32 safetensors with the tokenizer and chat template that it holds.

    The weights are exactly those that llama.cpp computes with, so an adapter trained on them fits the GGUF base.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        # Transformers knows a few of llama.cpp's ways to cut texts, and takes GPT-2's for the others.
        if (cut := pre_tokenizer_of(str(read_gguf_header(gguf).values.get(_CUT)))) is not None:
            tokenizer.backend_tokenizer.pre_tokenizer = cut
    except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        raise WorkbenchError(
            "model-unreadable",
            f"{gguf.name} cannot be converted for training: {error}.",
            "Point `model.base` at the model's safetensors folder or hub id instead.",
        ) from error
    # The weights are plain float32 now; transformers refuses to save a model that still says it is quantised.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except Exception as error:
        # safetensors and torch hide the errno of a failed write in a message.
        if shutil.disk_usage(folder).free < model.get_memory_footprint() or "No space left" in str(error):
            raise _disk_full(base) from error
        raise


def _link_or_copy(source: Path, target: Path) -> None:
    # A link costs no space; another file system, or a package folder that may not be linked, takes a copy.
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _disk_full(base: str) -> WorkbenchError:
    return WorkbenchError(
        "disk-full",
        f"The disk is full, so {base} could not be prepared.",
        "Free some space or set PEFTW_HOME to another disk, and run it again.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
