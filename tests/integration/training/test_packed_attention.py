import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig

from peft_engine.training.data.batch import collate
from peft_engine.training.data.tokens import TokenisedExample
from peft_engine.training.fused.attention import SEGMENTED, choose_attention
from peft_schemas.errors import WorkbenchError

LENGTHS = (5, 17, 1, 9)


@pytest.fixture
def examples():
    generator = torch.Generator().manual_seed(1)
    return [
        TokenisedExample(
            tuple(torch.randint(3, 250, (length,), generator=generator).tolist()), (False,) + (True,) * (length - 1)
        )
        for length in LENGTHS
    ]


def packed_logits(model, examples):
    batch = collate([tuple(examples)])
    inputs = {name: value for name, value in batch.items() if name not in ("predict", "targets")}
    return model(**inputs, use_cache=False).logits[0]


@pytest.mark.parametrize("attention", [SEGMENTED, "sdpa", "eager"])
def test_packed_logits_equal_those_of_each_example_alone(tiny_base, examples, attention):
    plain = AutoModelForCausalLM.from_pretrained(tiny_base, attn_implementation="eager")
    model = AutoModelForCausalLM.from_pretrained(tiny_base, attn_implementation=attention)
    with torch.no_grad():
        packed = packed_logits(model, examples)
        alone = torch.cat([plain(torch.tensor([example.ids])).logits[0] for example in examples])
    torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-5)


def test_no_example_hears_its_neighbour(tiny_base, examples):
    model = AutoModelForCausalLM.from_pretrained(tiny_base, attn_implementation=SEGMENTED)
    other = TokenisedExample(tuple(reversed(examples[0].ids)), examples[0].trained)
    with torch.no_grad():
        before = packed_logits(model, examples)[LENGTHS[0] :]
        after = packed_logits(model, [other, *examples[1:]])[LENGTHS[0] :]
    assert torch.equal(before, after)


@pytest.mark.parametrize(
    ("window", "device", "expected"),
    [(None, "cpu", SEGMENTED), (512, "cpu", SEGMENTED), (64, "cpu", "sdpa"), (None, "cuda", "sdpa")],
)
def test_a_window_narrower_than_the_examples_needs_a_mask(window, device, expected):
    assert choose_attention("auto", MistralConfig(sliding_window=window), torch.device(device), 128) == expected


@pytest.mark.parametrize("asked", ["eager", "sdpa"])
def test_the_attention_that_is_asked_for_is_taken(asked):
    assert choose_attention(asked, LlamaConfig(), torch.device("cpu"), 128) == asked


def test_flash_attention_is_refused_where_it_cannot_run():
    with pytest.raises(WorkbenchError, match="needs a CUDA device"):
        choose_attention("flash_attention_2", LlamaConfig(), torch.device("cpu"), 128)
