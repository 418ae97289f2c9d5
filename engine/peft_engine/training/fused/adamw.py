"""How weights are stepped: AdamW that takes held gradients a stretch at a time, small matrices by one thread."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.adamw import adamw

from peft_engine.training.fused.matrix import LearnedMatrices, LearnedMatrix

_NO_ZERO = 1e-6
"""Added to a norm that is divided by, as `torch.nn.utils.clip_grad_norm_` does."""

_LARGEST_SHARE = 0.25
"""The share of a model's numbers that learns at most where they are small matrices beside large ones."""


class StretchedAdamW(torch.optim.AdamW):
    """torch's AdamW, with the same state and the same numbers, for gradients that are held and those that are not."""

    def __init__(self, params: Any, *, matrices: LearnedMatrices, **settings: Any) -> None:
        """Set it up.

        Args:
            params: As torch's.
            matrices: Where gradients are held.
            **settings: As torch's.
        """
        super().__init__(params, **settings)
        self._matrices = matrices
        self._scale: torch.Tensor | None = None
        """What gradients that are held are multiplied by at the next step."""

        for group in self.param_groups:
            for weight in group["params"]:
                # Now, and not at the first step, when memory is full of what a step takes: it would leave holes there.
                self._begin(weight)

    def _begin(self, weight: torch.Tensor) -> None:
        self.state[weight] = {
            "step": torch.zeros((), dtype=torch.float32),
            "exp_avg": torch.zeros_like(weight),
            "exp_avg_sq": torch.zeros_like(weight),
        }

    @torch.no_grad()
    def clip(self, largest: float) -> torch.Tensor:
        """Scale all gradients down to a largest norm, those that are held when they are taken.

        Args:
            largest: The norm of all gradients together that is allowed.

        Returns:
            The norm that they had, as `torch.nn.utils.clip_grad_norm_` computes it.
        """
        given = [w.grad for group in self.param_groups for w in group["params"] if w.grad is not None]
        norms = [*self._matrices.norms(), *(torch.linalg.vector_norm(one, dtype=torch.float32) for one in given)]
        norm: torch.Tensor = torch.linalg.vector_norm(torch.stack(norms))
        self._scale = (largest / (norm + _NO_ZERO)).clamp(max=1.0)
        torch._foreach_mul_(given, self._scale)
        return norm

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do a step, after which no gradient is held."""
        loss = super().step(closure)
        groups = {weight: group for group in self.param_groups for weight in group["params"]}
        self._matrices.each(lambda matrix, scratch: self._step_in_stretches(matrix, scratch, groups[matrix.weight]))
        return loss

    def _step_in_stretches(self, matrix: LearnedMatrix, scratch: torch.Tensor, group: dict[str, Any]) -> None:
        weight = matrix.weight
        state = self.state[weight]
        beta1, beta2 = group["betas"]
        for rows, gradient in matrix.taken(scratch):
            if self._scale is not None:
                gradient.mul_(self._scale)
            adamw(
                [weight[rows]],
                [gradient],
                [state["exp_avg"][rows]],
                [state["exp_avg_sq"][rows]],
                [],
                # Each call counts its own on.
                [state["step"].clone()],
                fused=True,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
        state["step"] += 1


def learns_little(model: Any) -> bool:
    """Tell whether what learns are small matrices beside the model's own."""
    learned = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return bool(learned <= _LARGEST_SHARE * sum(weight.numel() for weight in model.parameters()))


def step_in_one_thread(optimizer: torch.optim.Optimizer) -> None:
    """Have an optimizer step through many small matrices alone: waking a second thread for each took longer than they.

    Args:
        optimizer: Of a model that learns little.
    """
    threads = torch.get_num_threads()
    optimizer.register_step_pre_hook(lambda *_: torch.set_num_threads(1))
    optimizer.register_step_post_hook(lambda *_: torch.set_num_threads(threads))
