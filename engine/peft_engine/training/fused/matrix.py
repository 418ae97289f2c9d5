"""A matrix that learns, and beside it one of the type of products: the weight rounded, and then the weight's gradient.

Autocast rounds a weight at each pass, and autograd widens the gradient, a product of bfloat16, to the weight's float32
at once: three matrices made anew at each step, of which the system clears every page. Here both take turns in one that
stays, and the optimizer widens a gradient a stretch at a time. Where a second gradient comes, both are widened and
added up, as autograd does it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import torch
from torch import Tensor

from peft_engine.training.fused.threads import Threads

_STRETCH_NUMBERS = 2**20
"""How many numbers are wide at a time, 4 MiB: they stay near the processor from one operation to the next."""

_MULTIPLE = 32
"""Of how many tokens a product is the sum. Other numbers took a sixth longer, for AMX takes as many at a time."""

Result = TypeVar("Result")

Factors = tuple[Tensor, Tensor]
"""g, [tokens, outputs], and x, [tokens, inputs], of a gradient gᵀ x."""


class LearnedMatrix:
    """A weight of which one process makes the gradient, which it holds until the optimizer takes it."""

    def __init__(self, weight: Tensor, compute: torch.dtype) -> None:
        """Make room beside a weight.

        Args:
            weight: [outputs, inputs], of float32.
            compute: The type of a product; of the weight's own type nothing is rounded, and nothing lies beside it.
        """
        self.weight = weight
        self.dtype = compute
        self._beside = None if compute == weight.dtype else torch.empty(weight.shape, dtype=compute)
        self._rounded_version: int | None = None
        self._gradient: Tensor | None = None
        self._factor: Tensor | None = None
        self._rows: tuple[Tensor, Tensor] | None = None

    @property
    def is_held(self) -> bool:
        """Whether there is a gradient that was not handed over."""
        return self._gradient is not None

    def rounded(self) -> Tensor:
        """Return the weight as products are computed with it, until there is a gradient."""
        if self._beside is None:
            return self.weight.detach()
        if self._rounded_version != self.weight._version:
            self.hand_over()
            self._beside.copy_(self.weight.detach())
            self._rounded_version = self.weight._version
        return self._beside

    def room(self) -> Tensor | None:
        """Return where a gradient may be written, in place of the rounded weight; None to make it elsewhere."""
        self.hand_over()
        self._rounded_version = None
        return self._beside

    def add_product(self, parts: Sequence[Factors]) -> None:
        """Add the gradient that the parts of a batch have together, made by one product and rounded once."""
        self.add(_summed_product(parts, self.room()))

    def add(self, gradient: Tensor, factor: Tensor | None = None) -> None:
        """Add a gradient. The only one is held as it is.

        Args:
            gradient: [outputs, inputs], of any type; not copied.
            factor: What it is to be multiplied by.
        """
        self.hand_over()
        self._gradient, self._factor = gradient, factor
        if self.weight.grad is not None:
            self.hand_over()

    def add_rows(self, which: Tensor, values: Tensor) -> None:
        """Add a gradient of some rows.

        Args:
            which: [rows], ascending.
            values: [rows, inputs].
        """
        if self.is_held and self._rows is None:
            self._rows = which, values
            return
        self.hand_over()
        if self.weight.grad is None:
            self.weight.grad = torch.zeros_like(self.weight, requires_grad=False)
        self.weight.grad.index_add_(0, which, values.to(self.weight.dtype))

    def hand_over(self) -> None:
        """Have the weight have its gradient itself."""
        if self.is_held:
            wide = self._write(torch.empty_like(self.weight, requires_grad=False), 0)
            self._forget()
            # Another optimizer takes it: bitsandbytes' write weights without autograd's counting a new version.
            self._rounded_version = None
            self.weight.grad = wide if self.weight.grad is None else self.weight.grad.add_(wide)

    def wide(self, scratch: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield the gradient that is held, a stretch of rows at a time.

        Args:
            scratch: [numbers], float32, where it is widened.

        Yields:
            Which rows, and their gradient as float32, which the next stretch overwrites.
        """
        width = self.weight.shape[1]
        count = max(1, len(scratch) // width)
        for start in range(0, len(self.weight), count):
            end = min(start + count, len(self.weight))
            stretch = scratch[: (end - start) * width].view(end - start, width)
            yield slice(start, end), self._write(stretch, start)

    def taken(self, scratch: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield the gradient as `wide` does, round its rows anew behind the reader, and forget it."""
        for rows, gradient in self.wide(scratch):
            yield rows, gradient
            if self._beside is not None:
                self._beside[rows].copy_(self.weight[rows])
        self._rounded_version = self.weight._version
        self._forget()

    def _write(self, wide: Tensor, start: int) -> Tensor:
        assert self._gradient is not None  # noqa: S101  (it is held)
        wide.copy_(self._gradient[start : start + len(wide)])
        if self._factor is not None:
            wide.mul_(self._factor)
        if self._rows is not None:
            which, values = self._rows
            first, last = torch.searchsorted(which, torch.tensor([start, start + len(wide)])).tolist()
            wide.index_add_(0, which[first:last] - start, values[first:last].to(wide.dtype))
        return wide

    def _forget(self) -> None:
        self._gradient = self._factor = self._rows = None


class LearnedMatrices:
    """The matrices of a model, by their weights."""

    def __init__(self, threads: Threads | None = None) -> None:
        """Begin with none.

        Args:
            threads: Share what is done with each matrix; None to have the caller's alone.
        """
        self._all: dict[Tensor, LearnedMatrix] = {}
        self._threads = threads
        # Made once: between the small results of each use, new ones left hundreds of megabytes of holes.
        self._scratches = [torch.empty(_STRETCH_NUMBERS) for _ in range(1 if threads is None else 2)]

    def of(self, weight: Tensor, compute: torch.dtype) -> LearnedMatrix | None:
        """Return the matrix of a weight, which is made at the first call; None for one that is not held wide."""
        if not weight.requires_grad or weight.dtype != torch.float32:
            return None
        if weight not in self._all:
            self._all[weight] = LearnedMatrix(weight, compute)
        return self._all[weight]

    def hand_over(self) -> None:
        """Have every weight have its gradient itself."""
        for matrix in self._all.values():
            matrix.hand_over()

    def each(self, work: Callable[[LearnedMatrix, Tensor], Result]) -> list[Result]:
        """Do a work with each matrix that holds a gradient.

        Args:
            work: Is given the matrix and room to widen it in, as `LearnedMatrix.wide` takes it. Called by two threads.

        Returns:
            What it returned for each, in an order that is always the same.
        """
        # The largest first, so that no thread is left with it at the end.
        held = sorted((matrix for matrix in self._all.values() if matrix.is_held), key=lambda m: -m.weight.numel())
        left = deque(enumerate(held))
        found: dict[int, Result] = {}

        def share(thread: int) -> None:
            with torch.no_grad():
                while (chosen := _next(left)) is not None:
                    place, matrix = chosen
                    found[place] = work(matrix, self._scratches[thread])

        if self._threads is None or not held:
            share(0)
        else:
            self._threads.compute(share)
        return [found[place] for place in range(len(held))]

    def norms(self) -> list[Tensor]:
        """Return the norm of each gradient that is held, as float32."""

        def norm(matrix: LearnedMatrix, scratch: Tensor) -> Tensor:
            parts = [torch.linalg.vector_norm(gradient) for _, gradient in matrix.wide(scratch)]
            whole: Tensor = torch.linalg.vector_norm(torch.stack(parts))
            return whole

        return self.each(norm)


def _next(left: deque[tuple[int, LearnedMatrix]]) -> tuple[int, LearnedMatrix] | None:
    with suppress(IndexError):
        return left.popleft()
    return None


def _summed_product(parts: Sequence[Factors], room: Tensor | None) -> Tensor:
    """Return gᵀ x, summed over the tokens of all parts, [outputs, inputs].

    Args:
        parts: The factors of each.
        room: Where to write it; None to make it anew.
    """
    incoming, entered = zip(*parts, strict=True)
    outputs, inputs = incoming[0].shape[1], entered[0].shape[1]
    filling = incoming[0].new_zeros(-sum(len(x) for x in entered) % _MULTIPLE, 1)
    right = torch.cat([*entered, filling.expand(-1, inputs)])
    if outputs > inputs:
        left = torch.cat([*incoming, filling.expand(-1, outputs)]).t()
    else:
        # Turned while it is put together: turned within the product, this took half as long again.
        left = torch.cat([*(g.t() for g in incoming), filling.t().expand(outputs, -1)], dim=1)
    product: Tensor = torch.mm(left, right, out=room)
    return product
