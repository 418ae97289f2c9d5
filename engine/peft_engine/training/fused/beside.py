"""Two halves of a batch computed at the same time, each by half of the threads.

They wait for each other once in a pass, and where it ends.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from peft_engine.training.fused.pairs import Half, Pairs
from peft_engine.training.fused.threads import Threads

Work = Callable[[int, Tensor], Tensor]
"""Computes something of one half of a batch, given which, 0 or 1, and the embeddings of its tokens."""


def can_halve(model: Any) -> bool:
    """Tell whether halves of a batch can be computed at the same time, with the same result each time.

    That is where nothing draws random numbers, whose order would be chance, and nothing is kept from batch to batch.

    Args:
        model: What is trained, on a CPU.
    """
    return not any(_notes_lengths(module) for module in model.modules())


def _notes_lengths(module: Any) -> bool:
    """Tell whether a module keeps how long a batch was, as some embeddings of positions do."""
    return any(kind in str(getattr(module, "rope_type", "")) for kind in ("dynamic", "longrope"))


class Beside:
    """Computes the body of a model for two halves of a batch."""

    def __init__(self, model: Any, threads: Threads) -> None:
        """Remember what learns.

        Args:
            model: One that `can_halve` accepts.
            threads: Compute a half each.
        """
        self._learned = [weight for weight in model.parameters() if weight.requires_grad]
        self._threads = threads
        head = model.get_output_embeddings().weight
        layers = sum(m.in_features * m.out_features for m in model.modules() if isinstance(m, torch.nn.Linear))
        self.target_cost = 0.0 if head.requires_grad else head.numel() / (layers - head.numel())
        """What a token of a half costs more where the output layer is applied, as a multiple of what the other layers
        cost. One that learns is applied to both halves together: its gradient is as large as it is."""

    def run(self, work: Work, embeddings: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute the same of two halves; so is its backward pass, when it is asked for.

        Args:
            work: What is computed.
            embeddings: Of each half.
        """
        # Embeddings need no gradient where only adapters learn, and autograd passes by what has no input that does.
        learns = torch.zeros((), requires_grad=True)
        both: tuple[Tensor, Tensor] = _Halves.apply(self, work, learns, *embeddings)  # type: ignore[no-untyped-call]
        return both

    def forward(self, work: Work, embeddings: Sequence[Tensor]) -> tuple["_Pass", "_Pass"]:
        """Compute both halves, and keep what their backward passes need."""
        pairs, autocast = Pairs(), _autocast_as_here()

        def compute(half: int) -> _Pass:
            given = embeddings[half]
            leaf, this = given.detach().requires_grad_(given.requires_grad), Half(pairs, half)
            with autocast(), torch.enable_grad(), this.computed():
                return _Pass(this, leaf, work(half, leaf))

        return self._threads.compute(compute)

    def backward(self, passes: Sequence["_Pass"], incoming: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """Add the gradients of both halves to the weights, and return those of the embeddings.

        The result is the same to the bit each time: where no gradients are there yet, each thread adds its own, and the
        sum of two does not depend on their order; else those of the other thread are added here, after those of this.
        """
        begins = all(weight.grad is None for weight in self._learned)

        def derive(half: int) -> tuple[Tensor | None, Sequence[Tensor | None]]:
            this, leaf, out = passes[half].half, passes[half].embeddings, passes[half].out
            found: Sequence[Tensor | None] = ()
            # Layers that are computed again, where memory is short, belong to this half too.
            with this.giving(), this.computed():
                if half == 0 or begins:
                    torch.autograd.backward(out, incoming[half])
                else:
                    wanted = [*self._learned, *([leaf] if leaf.requires_grad else [])]
                    found = torch.autograd.grad(out, wanted, incoming[half], allow_unused=True)
                    if leaf.requires_grad:
                        *found, leaf.grad = found
            return leaf.grad, found

        (first, _), (second, found) = self._threads.compute(derive)
        for weight, gradient in zip(self._learned, found, strict=False):
            if gradient is not None:
                weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)
        return first, second


@dataclass(frozen=True)
class _Pass:
    """What is kept of the forward pass of a half."""

    half: Half
    embeddings: Tensor
    out: Tensor


class _Halves(torch.autograd.Function):
    """The two halves as one operation, for the graph around them."""

    @staticmethod
    def forward(ctx: Any, beside: Beside, work: Work, _: Tensor, *embeddings: Tensor) -> tuple[Tensor, ...]:
        ctx.beside, ctx.passes = beside, beside.forward(work, embeddings)
        return tuple(one.out.detach() for one in ctx.passes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        passes, ctx.passes = ctx.passes, None
        return None, None, None, *ctx.beside.backward(passes, gradients)


def _autocast_as_here() -> Callable[[], AbstractContextManager[Any]]:
    """Return what sets autocast in another thread as it is set in this one, where it is each thread's own."""
    return partial(
        torch.autocast, "cpu", dtype=torch.get_autocast_dtype("cpu"), enabled=torch.is_autocast_enabled("cpu")
    )
