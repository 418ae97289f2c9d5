"""The loss of a batch: cross-entropy over a large vocabulary, without ever holding its logits.

The output layer is by far the widest. It is applied only where something is learned, a few tokens at a time, and the
gradient is made in the same pass, so that no logit outlives its chunk.
"""

import inspect
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from transformers import LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM
from transformers.modeling_outputs import CausalLMOutput

from peft_engine.training.fused.autocast import product_type
from peft_engine.training.fused.embedding import fuse_tied_embedding

_CHUNK_NUMBERS = 2**22
"""Logits that are held at a time, 16 MiB as float32, by each of the threads that compute a part of a batch."""

_LEARNED_CHUNK_NUMBERS = 2**24
"""The same where the output layer learns: each chunk has a gradient as large as the layer, to be added up."""

_MULTIPLE = 16
"""Of how many rows every product is. oneDNN makes a kernel for each number of rows that it meets, which took a
twentieth of a step, and keeps it: with every step's own number, memory grew with each step."""

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
        if self._fills_up:
            given = _filled_up(given)
        hidden = self._bare.model(*args, **given).last_hidden_state[0, predict]
        dtype = product_type(hidden)
        rounded = self._rounded
        weight = self._bare.lm_head.weight if rounded is None or rounded.dtype != dtype else rounded
        if not torch.is_grad_enabled():
            hidden, weight = hidden.detach(), weight.detach()
        with torch.autocast(hidden.device.type, enabled=False):
            loss = ChunkedCrossEntropy.apply(hidden, weight, targets, dtype)  # type: ignore[no-untyped-call]
        return CausalLMOutput(loss=loss)


def _bare(model: Any) -> Any:
    """Return the causal language model inside its wrappers."""
    model = getattr(model, "module", model)
    return model.get_base_model() if hasattr(model, "get_base_model") else model


class ChunkedCrossEntropy(torch.autograd.Function):
    """The cross-entropy of softmax(h Wᵀ), summed over the tokens."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        """Compute the loss and, where one is asked for, the gradient.

        Args:
            ctx: Autograd's.
            hidden: h, [tokens, width].
            weight: W, [vocabulary, width].
            targets: [tokens], the token that is right.
            dtype: What the logits are multiplied in; all else is float32.

        Returns:
            The sum in nats, float32.
        """
        learns_hidden, learns_weight = ctx.needs_input_grad[:2]
        low = weight.to(dtype)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if learns_hidden else None
        d_weight: Tensor | None = None
        held = _LEARNED_CHUNK_NUMBERS if learns_weight else _CHUNK_NUMBERS
        step = max(1, held // weight.shape[0] // _MULTIPLE) * _MULTIPLE
        for start in range(0, hidden.shape[0], step):
            right = targets[start : start + step].unsqueeze(1)
            count = right.shape[0]
            filling = -count % _MULTIPLE
            part = pad(hidden[start : start + step].to(dtype), (0, 0, 0, filling))
            logits = (part @ low.t())[:count].float()
            highest, said = logits.amax(dim=1, keepdim=True), logits.gather(1, right)
            weights = logits.sub_(highest).exp_()
            normaliser = weights.sum(dim=1, keepdim=True)
            total += (normaliser.log() + highest - said).sum()
            if not learns_hidden and not learns_weight:
                continue
            # The gradient of a token's loss to its logits: the probabilities, less one at the right token.
            d_logits = weights.div_(normaliser).scatter_add_(1, right, logits.new_full(right.shape, -1.0))
            d_low = pad(d_logits.to(dtype), (0, 0, 0, filling))
            if d_hidden is not None:
                d_hidden[start : start + step] = (d_low @ low)[:count]
            if learns_weight:
                found = d_low.t() @ part
                d_weight = found.float() if d_weight is None else d_weight.add_(found)
                del found
        if learns_weight and d_weight is None:
            d_weight = torch.zeros_like(weight, dtype=torch.float32)
        ctx.save_for_backward(d_hidden, d_weight)
        ctx.types = hidden.dtype, weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients that the forward pass made, scaled by that of the loss."""
        d_hidden, d_weight = ctx.saved_tensors
        (factor,) = gradients
        if d_hidden is not None:
            d_hidden = d_hidden * factor.to(d_hidden.dtype)
        if d_weight is not None:
            d_weight = d_weight.mul_(factor).to(ctx.types[1])
        return d_hidden, d_weight, None, None
