"""What is read from a model's files, against the model as Transformers and PEFT have it."""

from pathlib import Path

import pytest

from peft_engine.datasets.describe import percentile, sample_examples
from peft_engine.look import AskDataset, TokenLengths
from peft_engine.look.tokens import token_lengths
from peft_engine.models import resolve_base
from peft_engine.models.architectures import _by_model_type
from peft_engine.models.describe import describe_model
from peft_schemas.config import ColumnsConfig

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 96,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OLD_SIZES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 96},
    "gptj": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 96, "rotary_dim": 4},
    "gpt_neo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]},
    "opt": {"word_embed_proj_dim": 32, "ffn_dim": 48},
}


def tiny_model(model_type: str):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {**SIZES, **OLD_SIZES.get(model_type, {})}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **sizes))


def matrices(model) -> dict[str, tuple[int, int]]:
    """Return the modules with a weight of two dimensions, with outputs as rows."""
    from transformers.pytorch_utils import Conv1D

    found = {}
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if weight is not None and weight.ndim == 2:
            found[name] = tuple(weight.T.shape if isinstance(module, Conv1D) else weight.shape)
    return found


def all_linear(model) -> set[str]:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(model, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"))
    names = [name for name, _ in adapted.named_modules() if name.endswith(".lora_A")]
    return {name.removesuffix(".lora_A").rpartition(".")[2] for name in names}


@pytest.mark.parametrize("model_type", sorted(_by_model_type()))
def test_modules_shapes_and_all_linear_are_those_of_the_real_model(model_type: str, tmp_path: Path) -> None:
    model = tiny_model(model_type)
    model.save_pretrained(tmp_path)
    fact = describe_model(resolve_base(str(tmp_path)))
    assert fact is not None
    assert fact.shapes == matrices(model)
    assert fact.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (fact.model_type, fact.context_length, fact.stored_dtype) == (model_type, 96, "float32")
    assert fact.linear == all_linear(model)


@pytest.mark.model
def test_a_gguf_file_has_the_modules_of_the_model_that_is_made_of_it(model_cache: Path) -> None:
    folder = model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct"
    packed = describe_model(resolve_base(str(folder / "base.gguf")))
    loaded = describe_model(resolve_base(str(folder)))
    assert packed is not None
    assert loaded is not None
    for name in (
        "model_type", "context_length", "shapes", "linear", "parameters", "has_chat_template",
        "template_has_generation_markers", "tokens",
    ):  # fmt: skip
        assert getattr(packed, name) == getattr(loaded, name), name
    assert packed.stored_dtype == "q4_1"
    assert "<|im_start|>" in (packed.tokens or ())


@pytest.mark.model
def test_records_have_the_tokens_that_the_training_makes_of_them(model_home: Path) -> None:
    from transformers import AutoTokenizer

    from peft_engine.training.data.tokens import ExampleTokeniser

    path = Path("examples/support-desk/train.jsonl").absolute()
    resolved = resolve_base("HuggingFaceTB/SmolLM2-135M-Instruct")
    assert resolved.hf_dir is not None
    write = ExampleTokeniser(AutoTokenizer.from_pretrained(resolved.hf_dir), max_length=4096, completion_only=False)
    examples = sample_examples(path, "auto", ColumnsConfig(), 200)
    lengths = sorted(len(tokenised.ids) for tokenised in write(examples) if tokenised is not None)
    found = token_lengths(resolved, AskDataset(str(path), "auto", ColumnsConfig()), None)
    assert found == TokenLengths(percentile(lengths, 0.5), percentile(lengths, 0.99))
