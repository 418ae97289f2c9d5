"""The loss of a batch: cross-entropy over a large vocabulary, without ever holding its logits.

The output layer is by far the widest. It is applied only where something is learned, a few tokens at a time, and the
gradient is made in the same pass, so that no logit outlives its chunk.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from transformers import LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM
from transformers.modeling_outputs import CausalLMOutput

from peft_engine.training.data.microbatches import halve
from peft_engine.training.fused.autocast import product_type
from peft_engine.training.fused.beside import Beside
from peft_engine.training.fused.dense import FusedLinear
from peft_engine.training.fused.embedding import fuse_tied_embedding
from peft_engine.training.fused.matrix import LearnedMatrix

_CHUNK_NUMBERS = 2**22
"""Logits that are held at a time, in the type of products."""

_LEARNED_CHUNK_NUMBERS = 2**24
"""The same where the output layer learns: each chunk has a gradient as large as the layer, to be added up."""

_WIDE_NUMBERS = 2**22
"""Logits that are widened at a time, 16 MiB as float32."""

_MULTIPLE = 16
"""Of how many rows every product is. oneDNN makes a kernel for each number of rows that it meets, which took a
twentieth of a step, and keeps it: with every step's own number, memory grew with each step."""

_PLACES = ("position_ids", "cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k")
"""What `collate` says of the tokens of a batch besides which they are."""

_PLAIN_HEADS = (LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM)
"""Models whose logits are the output layer's product and nothing else: no cap, no scale."""


def summed_loss(model: Any, inputs: dict[str, Any]) -> Tensor:
    """Return the cross-entropy of a batch, summed over its trained tokens, in nats as float32.

    Args:
        model: What is trained, in whatever it is wrapped.
        inputs: A batch as `collate` makes it.
    """
    if computes_own_loss(model):
        total: Tensor = model(**inputs, use_cache=False).loss
        return total
    bare, inputs = _bare(model), dict(inputs)
    predict, targets = inputs.pop("predict"), inputs.pop("targets")
    if "logits_to_keep" in inspect.signature(bare.forward).parameters:
        logits = model(**inputs, use_cache=False, logits_to_keep=predict).logits[0]
    else:
        logits = model(**inputs, use_cache=False).logits[0, predict]
    return cross_entropy(logits.float(), targets, reduction="sum")


def _filled_up(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return a batch whose last example goes on until its tokens are a multiple: no token sees what follows it."""
    missing = -inputs["input_ids"].shape[1] % _MULTIPLE
    if not missing:
        return inputs
    filled = dict(inputs)
    # A position repeated, not a new one: models may turn tokens otherwise once a position is beyond what they learned.
    for name in ("input_ids", "position_ids"):
        filled[name] = torch.cat([inputs[name], inputs[name][:, -1:].expand(-1, missing)], dim=1)
    for side in "qk":
        borders = inputs[f"cu_seq_lens_{side}"].clone()
        borders[-1] += missing
        filled[f"cu_seq_lens_{side}"] = borders
        filled[f"max_length_{side}"] = max(inputs[f"max_length_{side}"], int(borders[-1] - borders[-2]))
    return filled


def draws_random_numbers(model: Any) -> bool:
    """Tell whether what a model computes while it learns depends on chance.

    Args:
        model: What is trained.
    """
    dropped = any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules())
    return dropped or bool(getattr(model.config, "attention_dropout", 0.0))


def computes_own_loss(model: Any) -> bool:
    """Tell whether a model, in whatever it is wrapped, computes its loss without its logits."""
    # Where every weight learns, it is this method that the library of the loop wraps, to have it computed in 16 bits.
    return isinstance(inspect.unwrap(_bare(model).forward), LossForward)


def fuse_loss(model: Any, compute: torch.dtype) -> None:
    """Have a model compute its loss without its logits, where it is one that is known and its output layer is plain.

    Args:
        model: What is trained.
        compute: The type of a matrix product.
    """
    bare = _bare(model)
    head = getattr(bare, "lm_head", None)
    if type(bare) in _PLAIN_HEADS and type(head) is torch.nn.Linear and head.bias is None:
        bare.forward = LossForward(bare, compute)
        fuse_tied_embedding(bare.get_input_embeddings(), head)


class LossForward:
    """Stands in for the forward method of a causal language model: given targets, it returns their loss."""

    matrix: LearnedMatrix | None = None
    """Holds the gradient of the output layer; None to have autograd add it."""

    beside: Beside | None = None
    """Computes halves of a batch at the same time; None to compute each as a whole."""

    def __init__(self, bare: Any, compute: torch.dtype) -> None:
        """Take over a model.

        Args:
            bare: The model.
            compute: The type of a matrix product; an output layer that does not learn is rounded to it once.
        """
        self._bare = bare
        self._plain = bare.forward
        # More tokens would draw more numbers: what follows would be dropped otherwise than where nothing is fused.
        self._fills_up = not draws_random_numbers(bare)
        weight = bare.lm_head.weight
        self._rounded = None if weight.requires_grad or weight.dtype == compute else weight.detach().to(compute)

    @property
    def weight(self) -> Tensor:
        """Of the output layer."""
        weight: Tensor = self._bare.lm_head.weight
        return weight

    def __call__(self, *args: Any, predict: Tensor | None = None, targets: Tensor | None = None, **kwargs: Any) -> Any:
        """Return the model's output, or only the summed loss of the targets.

        Args:
            *args: As the model's own forward takes them.
            predict: [trained], the positions of the one row whose next token is learned.
            targets: [trained], those tokens.
            **kwargs: As the model's own forward takes them.
        """
        if targets is None:
            return self._plain(*args, **kwargs)
        given = {name: value for name, value in kwargs.items() if value is not None}
        halves: list[dict[str, Any]] = []
        if self.beside is not None and torch.is_grad_enabled():
            halves = halve({**given, "predict": predict, "targets": targets}, self.beside.target_cost)
        if len(halves) > 1:
            others = {name: value for name, value in given.items() if name not in ("input_ids", *_PLACES)}
            return CausalLMOutput(loss=self._in_halves(halves, others))
        hidden = self._bare.model(*args, **self._filled_up(given)).last_hidden_state[0, predict]
        return CausalLMOutput(loss=self._loss(hidden, targets))

    def _loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        dtype = product_type(hidden)
        rounded = self._rounded
        weight = self._bare.lm_head.weight if rounded is None or rounded.dtype != dtype else rounded
        learns = torch.is_grad_enabled()
        if not learns:
            hidden, weight = hidden.detach(), weight.detach()
        matrix = self.matrix if learns and self.matrix is not None and self.matrix.dtype == dtype else None
        with torch.autocast(hidden.device.type, enabled=False):
            loss: Tensor = ChunkedCrossEntropy.apply(hidden, weight, targets, dtype, matrix)  # type: ignore[no-untyped-call]
        return loss

    def _filled_up(self, given: dict[str, Any]) -> dict[str, Any]:
        return _filled_up(given) if self._fills_up else given

    def _in_halves(self, halves: Sequence[dict[str, Any]], others: dict[str, Any]) -> Tensor:
        """Return the summed loss of two halves of a batch that are computed at the same time."""
        assert self.beside is not None  # noqa: S101  (there are halves)
        filled = [self._filled_up(half) for half in halves]
        ids = [half["input_ids"] for half in filled]
        # Looked up by one thread: the gradients of a token's row are added in one order.
        embedded = self._bare.get_input_embeddings()(torch.cat(ids, dim=1))
        for module in self._bare.modules():
            if isinstance(module.forward, FusedLinear) and module.forward.matrix is not None:
                # By one thread before there are two that ask for it.
                module.forward.matrix.rounded()

        def states(half: int, embeddings: Tensor) -> Tensor:
            places = {name: filled[half][name] for name in _PLACES}
            found: Tensor = self._bare.model(inputs_embeds=embeddings, **places, **others).last_hidden_state
            return found[0, halves[half]["predict"]]

        def loss(half: int, embeddings: Tensor) -> Tensor:
            return self._loss(states(half, embeddings), halves[half]["targets"])

        parts = embedded.split([part.shape[1] for part in ids], dim=1)
        if not self._bare.lm_head.weight.requires_grad:
            return torch.stack(self.beside.run(loss, parts)).sum()
        targets = torch.cat([half["targets"] for half in halves])
        return self._loss(torch.cat(self.beside.run(states, parts)), targets)


def _bare(model: Any) -> Any:
    """Return the causal language model inside its wrappers."""
    model = getattr(model, "module", model)
    return model.get_base_model() if hasattr(model, "get_base_model") else model


class ChunkedCrossEntropy(torch.autograd.Function):
    """The cross-entropy of softmax(h Wᵀ), summed over the tokens."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        dtype: torch.dtype,
        matrix: LearnedMatrix | None = None,
    ) -> Tensor:
        """Compute the loss and, where one is asked for, the gradient.

        Args:
            ctx: Autograd's.
            hidden: h, [tokens, width].
            weight: W, [vocabulary, width].
            targets: [tokens], the token that is right.
            dtype: What the logits are multiplied in; all else is float32.
            matrix: Takes W's gradient; None to have autograd add it.

        Returns:
            The sum in nats, float32.
        """
        learns_hidden, learns_weight = ctx.needs_input_grad[:2]
        low = weight.detach().to(dtype) if matrix is None else matrix.rounded()
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if learns_hidden else None
        d_weight: Tensor | None = None
        numbers = _LEARNED_CHUNK_NUMBERS if learns_weight else _CHUNK_NUMBERS
        step = max(1, numbers // weight.shape[0] // _MULTIPLE) * _MULTIPLE
        for start in range(0, hidden.shape[0], step):
            right = targets[start : start + step].unsqueeze(1)
            count = right.shape[0]
            filling = -count % _MULTIPLE
            part = pad(hidden[start : start + step].to(dtype), (0, 0, 0, filling))
            products = part @ low.t()
            total += _derive(products[:count], right, learns_hidden or learns_weight)
            if not learns_hidden and not learns_weight:
                continue
            products[count:].zero_()
            if d_hidden is not None:
                d_hidden[start : start + step] = (products @ low)[:count]
            if learns_weight:
                alone = step >= hidden.shape[0]
                # The weight's own room is free once there is no further chunk to be computed with it.
                found = torch.mm(products.t(), part, out=matrix.room() if alone and matrix is not None else None)
                d_weight = found if d_weight is None else d_weight.float().add_(found)
                del found
        if learns_weight and d_weight is None:
            d_weight = torch.zeros_like(weight, dtype=dtype)
        ctx.d_hidden, ctx.d_weight = d_hidden, d_weight
        ctx.weight_type, ctx.matrix = weight.dtype, matrix
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients that the forward pass made, scaled by that of the loss."""
        d_hidden, d_weight = ctx.d_hidden, ctx.d_weight
        ctx.d_hidden = ctx.d_weight = None
        (factor,) = gradients
        if d_hidden is not None:
            d_hidden = d_hidden * factor.to(d_hidden.dtype)
        if d_weight is not None and ctx.matrix is not None:
            ctx.matrix.add(d_weight, factor)
            d_weight = None
        elif d_weight is not None:
            d_weight = d_weight.to(ctx.weight_type).mul_(factor)
        return d_hidden, d_weight, None, None, None


def _derive(logits: Tensor, right: Tensor, learns: bool) -> Tensor:
    """Return the cross-entropy of logits, summed over the tokens, as float32.

    Args:
        logits: [tokens, vocabulary]; where something is learned, the loss's gradient to them takes their place.
        right: [tokens, 1], the token that is right.
        learns: Whether something is.
    """
    total = torch.zeros((), dtype=torch.float32, device=logits.device)
    count = max(1, _WIDE_NUMBERS // logits.shape[1])
    room = torch.empty(min(count, len(logits)), logits.shape[1], dtype=torch.float32, device=logits.device)
    for start in range(0, len(logits), count):
        narrow, said = logits[start : start + count], right[start : start + count]
        wide = room[: len(narrow)].copy_(narrow)
        highest, given = wide.amax(dim=1, keepdim=True), wide.gather(1, said)
        weights = wide.sub_(highest).exp_()
        normaliser = weights.sum(dim=1, keepdim=True)
        total += (normaliser.log() + highest - given).sum()
        if learns:
            # The probabilities, less one at the right token.
            narrow.copy_(weights.div_(normaliser).scatter_add_(1, said, wide.new_full(said.shape, -1.0)))
    return total
