"""On SmolLM2, what a packed example yields is what it yields alone, whatever computes the attention."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from peft_engine.datasets import load_dataset
from peft_engine.training.data.batch import collate
from peft_engine.training.data.packing import pack
from peft_engine.training.data.token_table import Rows, TokenTable
from peft_engine.training.data.tokens import ExampleTokeniser
from peft_engine.training.fused.attention import SEGMENTED
from peft_schemas.config import DatasetConfig
from tests.integration.training.witness import EXAMPLE

pytestmark = pytest.mark.model
ROOM = 256


@pytest.fixture(scope="module")
def folder(model_cache):
    return model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def table(folder):
    """Some examples of real data, as a run has them."""
    data = load_dataset(DatasetConfig(path=str(EXAMPLE), split="[:6]"), EXAMPLE.parent)
    tokenise = ExampleTokeniser(AutoTokenizer.from_pretrained(folder), max_length=ROOM, completion_only=True)
    return TokenTable.of(tokenise(data.examples))


@pytest.fixture(scope="module")
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")


@pytest.fixture(scope="module")
def alone(model, table):
    """What the model answers to each example by itself."""
    with torch.no_grad():
        return [model(torch.tensor([table[i].ids.tolist()])).logits[0] for i in range(len(table))]


@pytest.mark.parametrize("attention", [SEGMENTED, "sdpa", "eager"])
def test_packed_logits_equal_those_of_each_example_alone(model, table, alone, attention):
    packing = pack(table.lengths.tolist(), ROOM)
    assert max(map(len, packing)) > 1
    model.set_attn_implementation(attention)
    for numbers, row in zip(packing, Rows(table, packing), strict=True):
        inputs = {name: tensor for name, tensor in collate([row]).items() if name not in ("predict", "targets")}
        with torch.no_grad():
            packed = model(**inputs, use_cache=False).logits[0]
        torch.testing.assert_close(packed, torch.cat([alone[i] for i in numbers]), rtol=1e-3, atol=1e-3)
