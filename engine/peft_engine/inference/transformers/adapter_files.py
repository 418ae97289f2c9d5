"""What a PEFT adapter's folder says, read as if a stranger wrote it.

PEFT makes what the settings announce before it looks at the tensors, and matches names by the regular expressions that
stand in the settings: a rank of a million takes all memory, and some expressions take forever. So the layers are those
that there are tensors for, and sizes are held against the base's, before PEFT hears of any of it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file

from peft_engine.inference.contract import PartRefused
from peft_engine.models.damage import DamagedFile
from peft_schemas.errors import WorkbenchError

CONFIG, TENSORS, TEMPLATE = "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"

_LONGEST = 2**20
"""Bytes of settings or a template. Those of a run have a thousandth of it."""

_PREFIX = "base_model.model."
_MATRIX = re.compile(r"(?P<layer>.+)\.lora_(?:embedding_)?(?P<side>[AB])(?:\.weight)?")
_PLAIN_NAME = r"^\^?[\w.\\-]+\$?$"
"""A part of a module's name, and no expression that could take long to match."""

_PLAIN: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "init_lora_weights": (True, False, "gaussian", "orthogonal", "eva"),
    "layer_replication": (None,),
    "megatron_config": (None,),
    "use_qalora": (False,),
    "use_bdlora": (None,),
    "alora_invocation_tokens": (None,),
    "arrow_config": (None,),
    "target_parameters": (None, []),
}
"""Settings that must be absent or so, because otherwise the base itself would change, or more than LoRA is computed."""

Rank = Annotated[int, Field(gt=0)]
Alpha = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=_PLAIN_NAME)]
Tensors = dict[str, torch.Tensor]


class _Settings(BaseModel):
    """Those that say what the tensors mean. Nothing else of the file reaches PEFT: one names a module to import."""

    model_config = ConfigDict(strict=True, extra="ignore")

    r: Rank = 8
    lora_alpha: Alpha = 8
    rank_pattern: dict[Name, Rank] | None = None
    alpha_pattern: dict[Name, Alpha] | None = None
    target_modules: list[str] | str | None = None
    modules_to_save: list[Name] | None = None
    trainable_token_indices: list[int] | dict[Name, list[int]] | None = None
    fan_in_fan_out: bool = False
    use_rslora: bool = False
    use_dora: bool = False
    lora_bias: bool = False
    ensure_weight_tying: bool = False


@dataclass(frozen=True)
class AdapterFiles:
    """What is loaded."""

    config: LoraConfig
    tensors: Tensors
    template: str | None


def read_adapter(folder: Path, model: Any) -> AdapterFiles:
    """Read an adapter's folder, whose tensors' file was found sound.

    Args:
        folder: Has settings, tensors and perhaps a chat template.
        model: The base, on which there may be other adapters.

    Raises:
        OSError: A file cannot be read.
        WorkbenchError: Settings are damaged (`model-unreadable`), or say what cannot be computed (`not-supported`).
        DamagedFile: The tensors are none, do not fit the base or are not what the settings say.
        SafetensorError: As the library says.
    """
    settings = _read_settings(folder)
    tensors = load_file(folder / TENSORS)
    _require_numbers(tensors)
    modules = dict(model.named_modules())
    layers = _layers(tensors)
    target_modules: list[str] | str | None = settings.target_modules
    _check_ranks(settings, layers, model.config.get_text_config().hidden_size)
    if all(layer in modules for layer in layers):
        target_modules = sorted(layers)
        for layer, sides in layers.items():
            _check_layer(layer, sides, modules[layer])
    elif not isinstance(target_modules, list):
        # PEFT knows old names of some layers. It is asked where it has nothing to guess.
        raise DamagedFile(f"its base has no layer {next(layer for layer in layers if layer not in modules)}")
    _check_whole_modules(settings, tensors, modules)
    _check_tokens(settings, tensors)
    given = settings.model_dump(exclude_none=True, exclude={"target_modules"})
    config = LoraConfig(
        task_type="CAUSAL_LM", inference_mode=True, init_lora_weights=False, target_modules=target_modules, **given
    )
    return AdapterFiles(config, tensors, _read_template(folder))


def _read_settings(folder: Path) -> _Settings:
    path = folder / CONFIG
    try:
        written = json.loads(_read_text(path))
        if not isinstance(written, dict):
            raise ValueError("it is not an object")
        for name, allowed in _PLAIN.items():
            if written.get(name, allowed[0]) not in allowed:
                raise not_supported(folder, f"has {name}: {str(written[name])[:80]!r}")
        return _Settings.model_validate({name: value for name, value in written.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))[:80]}: {first['msg']}"
        raise _unreadable(path, reason) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error


def _read_template(folder: Path) -> str | None:
    path = folder / TEMPLATE
    if not path.exists():
        return None
    try:
        return _read_text(path)
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


def _read_text(path: Path) -> str:
    if path.stat().st_size > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST:,} bytes")
    return path.read_bytes().decode("utf-8")


def _require_numbers(tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not torch.isfinite(tensor.float()).all():
            raise DamagedFile(f"the tensor {name} holds something that is no number")


def _layers(tensors: Tensors) -> dict[str, dict[str, torch.Tensor]]:
    """Return the two matrices of each adapted layer, by its name in the base."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if match := _MATRIX.fullmatch(name.removeprefix(_PREFIX)):
            found.setdefault(match["layer"], {})[match["side"]] = tensor
    return found


def _check_ranks(settings: _Settings, layers: Mapping[str, Mapping[str, torch.Tensor]], width: int) -> None:
    """See that PEFT will make no matrices much larger than those that there are: it makes them before it compares."""
    held = max((min(matrix.shape, default=0) for sides in layers.values() for matrix in sides.values()), default=0)
    said = max(settings.r, *(settings.rank_pattern or {}).values(), 0)
    if said > max(held, width):
        raise DamagedFile(f"it says that its rank is {said}, and its matrices have {held}")


def _check_layer(layer: str, sides: Mapping[str, torch.Tensor], module: Any) -> None:
    """See that two matrices multiply to one of the layer's shape, whichever way round the layer keeps its own."""
    weight = (module.get_base_layer() if isinstance(module, BaseTunerLayer) else module).weight
    shapes = {side: tuple(matrix.shape) for side, matrix in sides.items()}
    if set(shapes) != {"A", "B"} or any(len(shape) != 2 for shape in shapes.values()):
        raise DamagedFile(f"the layer {layer} does not have two matrices in it")
    (rank, columns), (rows, other) = shapes["A"], shapes["B"]
    if rank != other or sorted((rows, columns)) != sorted(weight.shape):
        found, fits = f"{rows} x {other} and {rank} x {columns}", " x ".join(map(str, weight.shape))
        raise DamagedFile(f"the matrices of the layer {layer} are {found}, and the base's is {fits}")


def _check_whole_modules(settings: _Settings, tensors: Tensors, modules: Mapping[str, Any]) -> None:
    """See that PEFT will copy no module of the base but those that the adapter has."""
    for name in settings.modules_to_save or ():
        for place in (place for place in modules if place == name or place.endswith(f".{name}")):
            kept = modules[place]
            original = getattr(kept, "original_module", kept)
            for parameter, value in original.named_parameters():
                held = tensors.get(f"{_PREFIX}{place}.{parameter}")
                if held is None or held.shape != value.shape:
                    raise DamagedFile(f"it says that it holds the module {name}, and does not hold {place}.{parameter}")


def _check_tokens(settings: _Settings, tensors: Tensors) -> None:
    """See that PEFT will make no more rows for tokens than the adapter has."""
    indices = settings.trainable_token_indices or []
    lists = indices.values() if isinstance(indices, dict) else [indices]
    rows = [len(tensor) for name, tensor in tensors.items() if name.endswith("trainable_tokens_delta")]
    for tokens in lists:
        if tokens and len(tokens) not in rows:
            raise DamagedFile(f"it says that it trained {len(tokens)} tokens, and does not hold them")


def _unreadable(path: Path, reason: str) -> WorkbenchError:
    return WorkbenchError(
        "model-unreadable",
        f"{path} is not a PEFT adapter's: {reason.rstrip('.')}.",
        "Get the adapter again, or run its config again.",
    )


def not_supported(folder: Path, why: str) -> WorkbenchError:
    """Return the error of an adapter that cannot be computed as it is asked for."""
    return PartRefused(
        "model",
        f"The adapter {folder.name} {why}; so it cannot be served as asked.",
        "Use it alone and at full strength, or merge it into its base and serve the result.",
    )
