"""What a model can be converted to, told from its headers before anything is started."""

import json
from pathlib import Path

from peft_engine.models.convertible import conversion_data, convertible_family
from peft_engine.models.formats import Detected, detect, serving_answer
from peft_engine.models.formats.archives import zip_names
from peft_engine.models.formats.npz import read_npz_header
from peft_engine.models.gguf_data import gguf_data
from peft_engine.models.gguf_header import check_gguf
from peft_engine.models.refusal import NotConvertible
from peft_engine.models.safetensors_header import read_safetensors_header
from peft_engine.models.tokenizer_files import read_json
from peft_schemas.conversion import ConversionOffer

UNPACKED = frozenset({"float32", "float16", "bfloat16"})
"""Types of weights that nothing was lost of, so that they can be packed."""


def conversion_offers(source: Path, adapter: Path | None = None) -> list[ConversionOffer]:
    """Return what a model, or one with an adapter, can be converted to. What comes of it is still compared.

    Args:
        source: A file or a folder.
        adapter: A PEFT adapter folder.

    Raises:
        NotConvertible: To nothing; the message says why.
        OSError: A file is not there or cannot be read.
        ValueError: A file contradicts itself.
    """
    found = detect(source)
    match found.format:
        case "gguf" if adapter is None:
            return _of_gguf(found)
        case "mlx" if adapter is None and source.is_file() and zip_names(source) is not None:
            return [ConversionOffer(to="safetensors", bytes=sum(tensor.bytes for tensor in read_npz_header(source)))]
        case "safetensors" | "pytorch" if adapter is None or found.format == "safetensors":
            return _of_weights(found, adapter)
    raise NotConvertible(serving_answer(found).reason or f"{source.name} is in GGUF, which no adapter is merged into.")


def _of_gguf(found: Detected) -> list[ConversionOffer]:
    tensors = [tensor for file in found.files for tensor in check_gguf(file).tensors]
    packed = {gguf_data().types[tensor.kind].name for tensor in tensors} - UNPACKED
    if packed:
        raise NotConvertible(f"{found.path.name} is packed already ({', '.join(sorted(packed))}).")
    numbers = sum(tensor.size for tensor in tensors)
    return [offer for offer in _of_types(numbers) if not conversion_data().types[offer.to.partition(":")[2]].written]


def _of_weights(found: Detected, adapter: Path | None) -> list[ConversionOffer]:
    whole = sum(file.stat().st_size for file in found.files)
    as_it_is = [ConversionOffer(to="safetensors", bytes=whole)] if found.format == "pytorch" or adapter else []
    alone = [] if adapter is None or not _can_be_alone(adapter) else [ConversionOffer(to="gguf-adapter", bytes=None)]
    config = read_json(found.path / "config.json")
    try:
        if not config:
            raise NotConvertible(f"{found.path.name} has no config.json beside it, which says what its weights mean.")
        convertible_family(config)
    except NotConvertible:
        if not as_it_is:
            raise
        return as_it_is
    return [*alone, *as_it_is, *_of_types(_numbers(found, whole))]


def _numbers(found: Detected, whole: int) -> int:
    """Return how many numbers a model has; of pickles, which are not opened for it, as if each took two bytes."""
    if found.format == "pytorch":
        return whole // 2
    return sum(tensor.size for file in found.files for tensor in read_safetensors_header(file))


def _can_be_alone(adapter: Path) -> bool:
    config = json.loads((adapter / "adapter_config.json").read_bytes())
    return not config.get("use_dora") and not config.get("modules_to_save")


def _of_types(numbers: int) -> list[ConversionOffer]:
    return [
        ConversionOffer(to=f"gguf:{name}", bytes=int(numbers * kind.bits / 8))
        for name, kind in conversion_data().types.items()
    ]
