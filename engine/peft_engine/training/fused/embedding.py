"""A table of embeddings that learns and is the output layer too: the gradient of its rows, and not of all of it.

The output layer's gradient is as large as the table. torch makes another one of that size for the rows that were looked
up, nearly all of it zeros, when every other gradient is in memory already, and adds the two.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding

from peft_engine.training.fused.matrix import LearnedMatrix


def fuse_tied_embedding(table: Any, head: Any) -> None:
    """Have a table's gradient be made of the rows that were looked up, where it has another one to be added to.

    Args:
        table: Where the model looks its tokens up.
        head: The output layer, which gives its weight a gradient at each pass.
    """
    plain = type(table) is torch.nn.Embedding and table.max_norm is None and not table.scale_grad_by_freq
    if plain and table.weight is head.weight and table.weight.requires_grad:
        table.forward = FusedEmbedding(table)


class FusedEmbedding:
    """Stands in for the forward method of such a table."""

    matrix: LearnedMatrix | None = None
    """Holds the gradient of the table; None to have autograd add it."""

    def __init__(self, table: torch.nn.Embedding) -> None:
        """Take over a table."""
        self._table = table

    @property
    def weight(self) -> Tensor:
        """The table's."""
        return self._table.weight

    def __call__(self, ids: Tensor) -> Tensor:
        """Look tokens up."""
        rows: Tensor = RowGradients.apply(ids, self.weight, self._table.padding_idx, self.matrix)  # type: ignore[no-untyped-call]
        return rows


class RowGradients(torch.autograd.Function):
    """y = W[ids], whose gradient to W is sparse."""

    @staticmethod
    def forward(
        ctx: Any, ids: Tensor, weight: Tensor, padding: int | None, matrix: LearnedMatrix | None = None
    ) -> Tensor:
        """Look tokens up.

        Args:
            ctx: Autograd's.
            ids: [...], the tokens.
            weight: W, [vocabulary, width].
            padding: The token whose row learns nothing; None for no such token.
            matrix: Takes W's gradient; None to have autograd add it.

        Returns:
            [..., width].
        """
        ctx.save_for_backward(ids)
        ctx.size, ctx.padding, ctx.matrix = weight.shape, padding, matrix
        return embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of the rows, summed for each token in the order in which it stands there."""
        (ids,) = ctx.saved_tensors
        flat, rows = ids.flatten(), gradients[0].reshape(-1, ctx.size[1])
        if ctx.padding is not None:
            learns = flat != ctx.padding
            flat, rows = flat[learns], rows[learns]
        tokens, place = flat.unique(return_inverse=True)
        sums = rows.new_zeros(tokens.numel(), rows.shape[1]).index_add_(0, place, rows)
        if ctx.matrix is not None:
            ctx.matrix.add_rows(tokens, sums)
            return None, None, None, None
        sparse = torch.sparse_coo_tensor(tokens.unsqueeze(0), sums, ctx.size, is_coalesced=True, check_invariants=True)
        return None, sparse, None, None
