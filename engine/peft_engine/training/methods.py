"""The fine-tuning methods in PEFT's terms, and whether they fit a model."""

from collections.abc import Iterable, Sequence
from typing import Any

from peft import LoraConfig, get_peft_model
from torch.nn import Linear

from peft_schemas.config import MethodConfig
from peft_schemas.errors import WorkbenchError

_PISSA = "pissa_niter_16"
"""The singular values by 16 rounds of a randomised method. The exact ones cost five times as much of SmolLM2-135M."""


def lora_config(method: MethodConfig, *, tied: bool) -> LoraConfig:
    """Return PEFT's form of a method that trains an adapter.

    Args:
        method: The config's section.
        tied: Whether the model's input and output embeddings are one matrix, which they must stay when one is trained.
    """
    return LoraConfig(
        r=method.r,
        lora_alpha=int(method.alpha) if method.alpha.is_integer() else method.alpha,
        lora_dropout=method.dropout,
        target_modules=method.target_modules,
        modules_to_save=method.modules_to_save or None,
        ensure_weight_tying=tied and bool(method.modules_to_save),
        use_rslora=method.type == "rslora",
        use_dora=method.type == "dora",
        init_lora_weights=_PISSA if method.type == "pissa" else True,
        bias="none",
        task_type="CAUSAL_LM",
    )


def check_targets(skeleton: Any, method: MethodConfig) -> None:
    """See that an adapter would fit a model, of which no weight is needed.

    Raises:
        WorkbenchError: A target or a module to save names nothing in the model (`no-target-module`).
    """
    if method.type == "full":
        return
    names = [name for name, _ in skeleton.named_modules()]
    known = _last(name for name, module in skeleton.named_modules() if isinstance(module, Linear))
    # PEFT is content when one name of a list matches; the others would silently not be trained.
    targets = method.target_modules
    for target in targets if isinstance(targets, list) else ():
        if not _names(target, names):
            raise _no_target(f"`{target}` in `method.target_modules` names no layer", known)
    for module in method.modules_to_save:
        if not _names(module, names):
            raise _no_target(f"`{module}` in `method.modules_to_save` names no module", _last(names))
    try:
        get_peft_model(skeleton, LoraConfig(target_modules=targets, task_type="CAUSAL_LM"))
    except ValueError as error:
        raise _no_target("`method.target_modules` fits no layer", known) from error


def _names(wanted: str, names: Iterable[str]) -> bool:
    return any(name == wanted or name.endswith(f".{wanted}") for name in names)


def _last(names: Iterable[str]) -> list[str]:
    """Return the last parts of dotted names, without the numbers of layers."""
    return sorted({part for name in names if (part := name.rpartition(".")[2]) and not part.isdigit()})


def _no_target(what: str, known: Sequence[str]) -> WorkbenchError:
    return WorkbenchError(
        "no-target-module",
        f"{what} of this model.",
        f"Use `all-linear`, or some of this model's layers: {', '.join(known)}.",
    )
