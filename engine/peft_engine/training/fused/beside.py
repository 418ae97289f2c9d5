"""Two halves of a batch computed at the same time, each by half of the threads.

Threads that share an operation wait for each other at its end, thousands of times a step. While they sleep, waking them
took a third of a step of two threads, which one alone did faster; while they spin, a single other busy process had them
train at less than half of that speed. Two halves wait for each other once.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import torch
from torch import Tensor

from peft_engine.training.fused.loss import computes_own_loss, draws_random_numbers

_LARGEST_SHARE = 0.25
"""The share of a model's numbers that may learn: where all did, halves took a tenth more memory than the whole."""


def can_halve(model: Any) -> bool:
    """Tell whether halves of a batch can be computed at the same time, with the same result each time.

    That is where what is computed is known, draws no random numbers, whose order would be chance, and keeps nothing.

    Args:
        model: What is trained, on a CPU.
    """
    learned = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return (
        torch.get_num_threads() > 1
        and learned <= _LARGEST_SHARE * sum(weight.numel() for weight in model.parameters())
        and computes_own_loss(model)
        and not draws_random_numbers(model)
        and not any(_notes_lengths(module) for module in model.modules())
    )


def _notes_lengths(module: Any) -> bool:
    """Tell whether a module keeps how long a batch was, as some embeddings of positions do."""
    return any(kind in str(getattr(module, "rope_type", "")) for kind in ("dynamic", "longrope"))


class Beside:
    """Computes with two threads, the caller's and one of its own."""

    def __init__(self, model: Any) -> None:
        """Remember what learns.

        Args:
            model: One that `can_halve` accepts.
        """
        self._learned = [weight for weight in model.parameters() if weight.requires_grad]
        self._other = ThreadPoolExecutor(max_workers=1)
        head = model.get_output_embeddings().weight.numel()
        layers = sum(m.in_features * m.out_features for m in model.modules() if isinstance(m, torch.nn.Linear))
        self.target_cost: float = head / (layers - head)
        """What a token costs more where the output layer is applied, as a multiple of what the other layers cost."""

    @property
    def _begins(self) -> bool:
        return all(weight.grad is None for weight in self._learned)

    def compute(self, here: Callable[[], Tensor], there: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """Compute two losses at the same time, and add the gradients of both to the weights.

        The result is the same to the bit each time: where no gradients are there yet, each thread adds its own, and the
        sum of two does not depend on their order; else those of the other thread are added here, after those of this.

        Args:
            here: Computes a loss and adds its gradients to the weights.
            there: Computes a loss, in the other thread.

        Returns:
            Both losses.
        """
        threads = torch.get_num_threads()
        theirs = threads // 2
        derive = _add_gradients if self._begins else partial(_find_gradients, self._learned)
        other = self._other.submit(_with_threads, theirs, derive, there)
        torch.set_num_threads(threads - theirs)
        try:
            loss = here()
        finally:
            wait([other])
            torch.set_num_threads(threads)
        second, gradients = other.result()
        for weight, gradient in zip(self._learned, gradients, strict=False):
            if gradient is not None:
                weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)
        return loss, second


def step_in_one_thread(optimizer: torch.optim.Optimizer) -> None:
    """Have an optimizer step through many small matrices alone: waking a second thread for each took longer than they.

    Args:
        optimizer: Of a model that `can_halve` accepts.
    """
    threads = torch.get_num_threads()
    optimizer.register_step_pre_hook(lambda *_: torch.set_num_threads(1))
    optimizer.register_step_post_hook(lambda *_: torch.set_num_threads(threads))


Found = tuple[Tensor, tuple[Tensor | None, ...]]
"""A loss, and the gradients that are still to be added."""


def _with_threads(threads: int, derive: Callable[[Tensor], Found], there: Callable[[], Tensor]) -> Found:
    torch.set_num_threads(threads)
    return derive(there())


def _add_gradients(loss: Tensor) -> Found:
    loss.backward()  # type: ignore[no-untyped-call]  # autograd is not typed
    return loss.detach(), ()


def _find_gradients(learned: Sequence[Tensor], loss: Tensor) -> Found:
    return loss.detach(), torch.autograd.grad(loss, learned, allow_unused=True)
