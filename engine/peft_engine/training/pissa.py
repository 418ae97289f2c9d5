"""PiSSA's result as a plain LoRA adapter.

PiSSA moves the largest part of each weight into the adapter and trains there, so its matrices fit only the rest that
stayed in the base. What it learned, B·A minus their product at the start, fits the base that everybody has.
"""

import json
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]

_BEGINNING = "pissa_initial.safetensors"


def initial_matrices(model: Any) -> Tensors:
    """Return copies of the adapter's matrices, under the names by which they are saved."""
    return {name: tensor.detach().cpu().clone() for name, tensor in get_peft_model_state_dict(model).items()}


def keep_beginning(checkpoint: Path, initial: Tensors) -> None:
    """Write the matrices before the first step into a checkpoint: what is trained fits only what they left."""
    save_file(initial, checkpoint / _BEGINNING, {"format": "pt"})


def go_on_from(model: Any, initial: Tensors, checkpoint: Path) -> Tensors:
    """Have the base hold what the matrices of the run's first step left of it.

    They are worked out anew with each load of the model, and come out the same to the bit on the same machine. On
    another one the base is corrected by the difference of the products, which is exact but for its rounding.

    Args:
        model: A PEFT model whose base holds what `initial` left.
        initial: The matrices as they came out now.
        checkpoint: What the run goes on from.

    Returns:
        The matrices that the run began with.
    """
    begun = load_file(checkpoint / _BEGINNING)
    for name, module in model.named_modules():
        a, b = f"{name}.lora_A.weight", f"{name}.lora_B.weight"
        if a not in begun or (torch.equal(begun[a], initial[a]) and torch.equal(begun[b], initial[b])):
            continue
        (scale,) = module.scaling.values()
        difference = scale * (initial[b] @ initial[a] - begun[b] @ begun[a])
        weight = module.get_base_layer().weight
        weight.data += (difference.T if module.fan_in_fan_out else difference).to(weight)
    return begun


def to_plain_lora(adapter: Path, initial: Tensors) -> None:
    """Rewrite a saved PiSSA adapter as one of twice the rank that adds to the original base.

    PEFT's own conversion does this too, but loses modules that are trained in full beside the adapter.
    """
    weights = adapter / "adapter_model.safetensors"
    trained = load_file(weights)
    save_file({name: _joined(name, tensor, initial) for name, tensor in trained.items()}, weights, {"format": "pt"})
    file = adapter / "adapter_config.json"
    config = json.loads(file.read_bytes())
    # The scale is alpha over the rank, so both double.
    config |= {"r": 2 * config["r"], "lora_alpha": 2 * config["lora_alpha"], "init_lora_weights": True}
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _joined(name: str, trained: torch.Tensor, initial: Tensors) -> torch.Tensor:
    if "lora_A" in name:
        return torch.cat([trained, initial[name].to(trained.dtype)], dim=0).contiguous()
    if "lora_B" in name:
        return torch.cat([trained, -initial[name].to(trained.dtype)], dim=1).contiguous()
    return trained
