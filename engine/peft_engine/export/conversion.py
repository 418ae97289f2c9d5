"""One model or adapter into another format: written aside, compared with its source, and only then named.

A result that does not say what its source says is deleted, and so is one that was given up.
"""

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import AutoTokenizer

from peft_engine.export.agreement import TorchModel, difference, require_agreement
from peft_engine.export.lora_gguf import write_lora_gguf
from peft_engine.export.merged import write_merged
from peft_engine.export.model_gguf import stored_type, write_model_gguf
from peft_engine.export.native import NativeModel, quantise
from peft_engine.files import fsync_dir
from peft_engine.models.conversion import require_new
from peft_engine.models.convertible import conversion_data
from peft_engine.models.damage import DamagedFile
from peft_engine.models.formats import Format, detect, serving_answer
from peft_engine.models.formats.npz import read_npz, read_npz_header
from peft_engine.models.gguf_data import gguf_data
from peft_engine.models.gguf_header import check_gguf
from peft_engine.models.pickled.rewriting import write_safetensors
from peft_engine.models.refusal import NotConvertible
from peft_engine.models.tokenizer_files import read_json
from peft_engine.models.unfinished import unfinished
from peft_engine.models.validation import require_sound
from peft_schemas.conversion import ConversionProgress, ConversionRequest, ConversionResult
from peft_schemas.errors import WorkbenchError

Say = Callable[[ConversionProgress], None]

_FLOATS = {"float32", "float16", "bfloat16"}
_SPARE = 64 * 2**20
"""Bytes beside the weights: vocabulary, config, and what the file system takes."""

_REMEDY = "Take another format or type, or convert the model that this one was made from."


def convert(
    request: ConversionRequest, say: Say = lambda _: None, decide: Callable[[], object] = lambda: None
) -> ConversionResult:
    """Convert a model.

    Args:
        request: What is to be made of what.
        say: Told what is being done.
        decide: Called when the result is good, before it gets its name; it may wait, and never return.

    Raises:
        WorkbenchError: There is no such conversion, or its result does not agree with its source
            (`conversion-failed`); the source is damaged or a pickle that could not be read safely; the output exists
            (`conversion-failed`), or another process makes it (`conversion-active`); or the disk has no room
            (`disk-full`).
    """
    output = Path(request.output)
    require_new(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with unfinished(output) as place:
            result = _Conversion(request, place / output.name, place, say).run()
            decide()
            _name(place / output.name, output)
    except NotConvertible as error:
        raise WorkbenchError("conversion-failed", str(error), _REMEDY) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_room(output.parent) from error
        raise
    return result.model_copy(update={"output": str(output)})


class _Conversion:
    """One conversion under way."""

    def __init__(self, request: ConversionRequest, making: Path, aside: Path, say: Say) -> None:
        self._request, self._making, self._aside, self._say = request, making, aside, say
        self._source = Path(request.source)
        self._adapter = None if request.adapter is None else Path(request.adapter)
        self._threads = max((os.cpu_count() or 2) // 2, 1)

    def run(self) -> ConversionResult:
        target, _, kind = self._request.to.partition(":")
        found = self._format()
        match found, target:
            case "pytorch", "safetensors" if self._adapter is None:
                return self._unpickled(self._making)
            case "pytorch", _:
                self._unpickled(self._aside / "read")
                self._source = self._aside / "read"
                return self.run()
            case "mlx", "safetensors" if self._adapter is None and self._source.is_file():
                return self._from_archive()
            case "safetensors", "safetensors" if self._adapter is not None:
                return self._merged()
            case "safetensors", "gguf-adapter" if self._adapter is not None:
                return self._adapter_alone(self._adapter)
            case "safetensors", "gguf":
                return self._packed(kind)
            case "gguf", "gguf" if self._adapter is None:
                return self._repacked(kind)
        if found in ("gguf", "safetensors", "pytorch"):
            raise NotConvertible(f"There is no conversion from {found} to {self._request.to}.")
        reason = serving_answer(detect(self._source)).reason
        if found == "unknown":
            raise NotConvertible(str(reason))
        raise NotConvertible(f"There is no conversion from {found} to {self._request.to}: {reason}")

    def _format(self) -> Format:
        try:
            found = detect(self._source)
            if found.format == "gguf" and self._source.is_dir():
                if len(found.files) > 1:
                    raise NotConvertible(f"{self._source.name} holds several GGUF files; name one of them.")
                (self._source,) = found.files
            return found.format
        except OSError as error:
            raise WorkbenchError(
                "model-missing", f"There is no model at {self._source}.", "Correct the path."
            ) from error

    def _unpickled(self, target: Path) -> ConversionResult:
        self._ask_room(_bytes_of(self._source))
        self._step("reading the pickles in a process that can do nothing else")
        write_safetensors(self._source, target)
        return self._result(target, "bits", 0, 0)

    def _from_archive(self) -> ConversionResult:
        """Write the tensors of one of NumPy's archives, which keep their names and types."""
        try:
            self._ask_room(sum(tensor.bytes for tensor in read_npz_header(self._source)))
            self._step("writing the weights")
            save_file(dict(read_npz(self._source)), self._making)
            self._step("comparing with the source")
            with safe_open(self._making, framework="numpy") as written:
                for name, numbers in read_npz(self._source):
                    if not np.array_equal(written.get_tensor(name), numbers, equal_nan=numbers.dtype.kind == "f"):
                        raise NotConvertible(f"The array {name} did not come out as it is in {self._source.name}.")
        except DamagedFile as error:
            raise WorkbenchError(
                "model-damaged", f"{self._source.name} cannot be read: {error}.", "Get the file again."
            ) from error
        return self._result(self._making, "bits", 0, 0)

    def _merged(self) -> ConversionResult:
        self._ask_room(_bytes_of(self._source))
        self._merge(self._making)
        self._step("comparing with the source")
        off = difference(TorchModel(self._source, self._adapter), TorchModel(self._making))
        return self._compared(off, stored_type(self._source))

    def _merge(self, target: Path) -> None:
        self._step("merging the adapter")
        assert self._adapter is not None  # noqa: S101  (its callers look)
        tokenizer = AutoTokenizer.from_pretrained(self._source)
        template = self._adapter / "chat_template.jinja"
        if template.is_file():
            tokenizer.chat_template = template.read_text(encoding="utf-8")
        trusted = self._request.trust_remote_code
        write_merged(self._adapter, self._source, tokenizer, target, trust_remote_code=trusted)

    def _adapter_alone(self, adapter: Path) -> ConversionResult:
        stored = stored_type(self._source)
        self._ask_room(_bytes_of(self._source))
        self._step("converting the adapter")
        write_lora_gguf(adapter, read_json(self._source / "config.json"), self._making)
        self._step("comparing with the source")
        base = self._aside / "base.gguf"
        write_model_gguf(self._source, base, stored)
        with NativeModel(base, self._threads, self._making) as result:
            off = difference(TorchModel(self._source, adapter), result)
        return self._compared(off, stored)

    def _packed(self, kind: str) -> ConversionResult:
        wanted = conversion_data().types.get(kind)
        if wanted is None:
            raise NotConvertible(f"There is no type {kind}; there are {', '.join(conversion_data().types)}.")
        require_sound(self._source)
        stored = stored_type(self._source)
        whole = _bytes_of(self._source)
        numbers = whole * 8 / conversion_data().types[stored].bits
        result = int(numbers * wanted.bits / 8)
        self._ask_room(result + (0 if wanted.written else whole) + (0 if self._adapter is None else whole))
        folder = self._source
        if self._adapter is not None:
            folder = self._aside / "merged"
            self._merge(folder)
        written = self._making if wanted.written else self._aside / "whole.gguf"
        write_model_gguf(folder, written, kind if wanted.written else stored, self._share("writing the weights"))
        self._step("comparing with the source")
        # Not with the merged folder: what is compared must be what was trained.
        source = TorchModel(self._source, self._adapter)
        off = self._off(source, written, kind if wanted.written else stored)
        if not wanted.written:
            self._step(f"packing the weights as {kind}")
            quantise(written, self._making, wanted.ftype, self._threads)
            off = self._off(source, self._making, kind)
        return self._compared(off, kind)

    def _off(self, source: TorchModel, file: Path, kind: str) -> float:
        """Return how far a GGUF file is off, when that is not too far."""
        with NativeModel(file, self._threads) as native:
            off = difference(source, native)
        require_agreement(off, kind)
        return off

    def _repacked(self, kind: str) -> ConversionResult:
        wanted = conversion_data().types.get(kind)
        if wanted is None or wanted.written:
            raise NotConvertible(f"A GGUF file is packed as one of {', '.join(_packed_types())}, not as {kind}.")
        require_sound(self._source)
        types = {gguf_data().types[tensor.kind].name for tensor in check_gguf(self._source).tensors}
        if not types <= _FLOATS:
            raise NotConvertible(f"{self._source.name} is packed already ({', '.join(sorted(types - _FLOATS))}).")
        self._ask_room(_bytes_of(self._source))
        self._step(f"packing the weights as {kind}")
        quantise(self._source, self._making, wanted.ftype, self._threads)
        self._step("comparing with the source")
        with ExitStack() as stack:
            source = stack.enter_context(NativeModel(self._source, self._threads))
            off = difference(source, stack.enter_context(NativeModel(self._making, self._threads)))
        return self._compared(off, kind)

    def _compared(self, off: float, kind: str) -> ConversionResult:
        require_agreement(off, kind)
        return self._result(self._making, "logits", off, conversion_data().types[kind].tolerance)

    def _result(self, made: Path, comparison: str, off: float, tolerance: float) -> ConversionResult:
        return ConversionResult.model_validate(
            {
                "output": str(made),
                "bytes": _bytes_of(made),
                "comparison": comparison,
                "difference": off,
                "tolerance": tolerance,
            }
        )

    def _ask_room(self, needed: int) -> None:
        """See that the disk holds what will be written, before any of it is.

        Raises:
            WorkbenchError: It does not (`disk-full`).
        """
        free = shutil.disk_usage(self._aside).free
        if free < needed + _SPARE:
            raise WorkbenchError(
                "disk-full",
                f"The conversion writes about {needed / 1e9:.1f} GB, and the disk of {self._aside.parent} has room for "
                f"{free / 1e9:.1f} GB.",
                "Free some space, or write to another disk.",
            )

    def _step(self, step: str) -> None:
        self._say(ConversionProgress(step=step))

    def _share(self, step: str) -> Callable[[float], None]:
        return lambda share: self._say(ConversionProgress(step=step, share=share))


def _packed_types() -> list[str]:
    return [name for name, kind in conversion_data().types.items() if not kind.written]


def _bytes_of(path: Path) -> int:
    """Return the bytes of a file, or of the weights in a folder."""
    files = detect(path).files if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files)


def _name(making: Path, output: Path) -> None:
    """Make a result durable, then visible."""
    for file in [making, *making.rglob("*")] if making.is_dir() else [making]:
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
    if output.exists():
        raise WorkbenchError("conversion-failed", f"{output} came into being meanwhile.", "Choose another name.")
    making.rename(output)
    fsync_dir(output.parent)


def _no_room(folder: Path) -> WorkbenchError:
    return WorkbenchError(
        "disk-full", f"The disk of {folder} is full, so nothing was converted.", "Free some space, or write elsewhere."
    )
