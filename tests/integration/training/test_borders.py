"""A backend whose model lets examples of one row see each other is refused before the first step."""

from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from peft_engine.training.backends.borders import check_borders
from peft_engine.training.fused.attention import SEGMENTED
from peft_engine.training.model import TrainableModel
from peft_schemas.errors import WorkbenchError

MAX_LENGTH = 64


def apart(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    inputs = dict(inputs)
    predict, targets = inputs.pop("predict"), inputs.pop("targets")
    logits = model(**inputs, use_cache=False, logits_to_keep=predict).logits[0]
    return cross_entropy(logits.float(), targets, reduction="sum")


def across(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    return apart(model, {name: value for name, value in inputs.items() if not name.startswith("cu_seq_lens")})


def not_a_number(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    return apart(model, inputs) * float("nan")


def trainable(loss: Any) -> TrainableModel:
    """A model whose weights are large enough for what is seen to matter, as those of a trained one are."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        initializer_range=0.3, attn_implementation=SEGMENTED,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    return TrainableModel(model, torch.device("cpu"), torch.float32, "float32", initial=None, summed_loss=loss)


def test_a_model_that_keeps_examples_apart_is_left_as_it_was():
    made = trainable(apart)
    made.model.train()
    state = torch.get_rng_state()
    check_borders(made, MAX_LENGTH)
    assert made.model.training
    assert all(parameter.grad is None for parameter in made.model.parameters())
    assert torch.equal(torch.get_rng_state(), state), "a resumed run must draw the numbers that one left alone draws"


@pytest.mark.parametrize("loss", [across, not_a_number])
def test_a_model_that_sees_across_the_border_is_refused(loss):
    with pytest.raises(WorkbenchError, match="see each other") as refused:
        check_borders(trainable(loss), MAX_LENGTH)
    assert refused.value.code == "not-supported"
