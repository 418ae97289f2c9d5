"""Weights and optimizer states that are spread over several processes, made whole and spread again.

FSDP2 (`fully_shard`) holds of each weight a slice in each process, as a `DTensor`. Files hold whole weights, so that a
run writes the same adapter and the same checkpoint however many processes trained it.
"""

from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.tensor import DTensor, distribute_tensor

Tensors = dict[str, torch.Tensor]


def is_spread(model: Any) -> bool:
    """Tell whether the model holds slices of its weights."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def whole_weights(model: Any, *, keep: bool) -> Tensors:
    """Return the weights that learn, and the buffers beside them, under the names of `state_dict`.

    To be called by all processes; one weight at a time is whole.

    Args:
        model: Whose weights are spread.
        keep: Whether this process wants them; the others only help, and get nothing.
    """
    learn = {name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter.requires_grad}
    whole: Tensors = {}
    for name, held in model.state_dict().items():
        if name in learn:
            tensor = _whole(held)
            if keep:
                whole[name] = tensor
    return whole


def spread_weights(model: Any, whole: Tensors) -> Tensors:
    """Return whole weights as slices, as the model holds its own. To be called by all processes, with the same weights.

    Args:
        model: Whose weights are spread.
        whole: The weights, under any names.
    """
    mesh, placements = next(
        (parameter.device_mesh, parameter.placements)
        for parameter in model.parameters()
        if isinstance(parameter, DTensor)
    )
    return {name: distribute_tensor(tensor, mesh, placements) for name, tensor in whole.items()}


def whole_optimizer(model: Any, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the optimizer's state with whole tensors, by the names of the weights. To be called by all processes."""
    state: dict[str, Any] = dict(get_optimizer_state_dict(model, optimizer))
    state["state"] = {
        name: {key: _whole(value) if isinstance(value, torch.Tensor) else value for key, value in of_weight.items()}
        for name, of_weight in state["state"].items()
    }
    return state


def spread_optimizer(model: Any, optimizer: torch.optim.Optimizer, whole: dict[str, Any]) -> None:
    """Give the optimizer a state that `whole_optimizer` returned. To be called by all processes."""
    set_optimizer_state_dict(model, optimizer, whole, options=StateDictOptions(full_state_dict=True))


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    # A copy, because what is gathered on a CPU would else still be on its way when it is written.
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().cpu().clone()
