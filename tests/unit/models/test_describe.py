"""What a model's files say, from folders and files laid out by hand."""

import json
import struct

import pytest

from peft_engine.models import resolve_base
from peft_engine.models.describe import describe_model
from peft_engine.models.gguf_header import read_gguf_header
from peft_engine.models.safetensors_header import read_safetensors_header


def safetensors_bytes(tensors, dtype="BF16"):
    header = {name: {"dtype": dtype, "shape": list(shape), "data_offsets": [0, 0]} for name, shape in tensors.items()}
    body = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return struct.pack("<Q", len(body)) + body


def llama_tensors(prefix="model."):
    return {
        f"{prefix}embed_tokens.weight": (32, 8),
        f"{prefix}layers.0.self_attn.q_proj.weight": (8, 8),
        f"{prefix}layers.0.mlp.down_proj.weight": (8, 16),
        f"{prefix}layers.0.input_layernorm.weight": (8,),
        f"{prefix}layers.10.self_attn.q_proj.weight": (8, 8),
        f"{prefix}layers.2.self_attn.q_proj.weight": (8, 8),
    }


@pytest.fixture
def folder(tmp_path):
    """A Llama whose head shares the embedding's weights."""
    place = tmp_path / "base"
    place.mkdir()
    write_config(place)
    (place / "model.safetensors").write_bytes(safetensors_bytes(llama_tensors()))
    return place


def write_config(place, **config):
    (place / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 512, **config}))


def describe(place, revision=None):
    fact = describe_model(resolve_base(str(place), revision))
    assert fact is not None
    return fact


def test_modules_are_the_matrices_in_their_order_with_the_tied_head(folder):
    fact = describe(folder)
    assert fact.modules == (
        "lm_head",
        "model.embed_tokens",
        "model.layers.0.mlp.down_proj",
        "model.layers.0.self_attn.q_proj",
        "model.layers.2.self_attn.q_proj",
        "model.layers.10.self_attn.q_proj",
    )
    assert fact.linear == {"q_proj", "down_proj"}
    assert fact.shapes["lm_head"] == fact.shapes["model.embed_tokens"] == (32, 8)
    assert fact.shapes["model.layers.0.mlp.down_proj"] == (8, 16)
    assert fact.parameters == 32 * 8 + 3 * 64 + 128 + 8
    assert fact.stored_dtype == "bfloat16"
    assert fact.weight_bytes == (folder / "model.safetensors").stat().st_size
    assert (fact.name, fact.revision_is_pinned, fact.is_pickle) == ("base", None, False)


def test_a_checkpoint_without_the_prefix_has_the_modules_full_names(folder):
    (folder / "model.safetensors").write_bytes(safetensors_bytes(llama_tensors(prefix="")))
    assert "model.layers.2.self_attn.q_proj" in describe(folder).modules


def test_shards_are_read_together(folder):
    (folder / "model.safetensors").unlink()
    tensors = llama_tensors()
    names = sorted(tensors)
    shards = {"a-1.safetensors": names[:3], "a-2.safetensors": names[3:]}
    for file, own in shards.items():
        (folder / file).write_bytes(safetensors_bytes({name: tensors[name] for name in own}))
    index = {"weight_map": {name: file for file, own in shards.items() for name in own}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert len(describe(folder).modules) == 6
    (folder / "a-2.safetensors").write_bytes(b"")
    assert describe(folder).modules is None


def test_a_family_that_is_not_known_has_no_modules_but_a_size(folder):
    write_config(folder, model_type="brand_new")
    fact = describe(folder)
    assert (fact.model_type, fact.modules, fact.linear, fact.shapes) == ("brand_new", None, None, None)
    assert fact.parameters == 584


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({}, 512),
        ({"max_position_embeddings": None, "n_positions": 64}, 64),
        ({"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, 2048),
        ({"rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 512}}, 2048),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8, "original_max_position_embeddings": 32}}, 512),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e5}}, 512),
        ({"text_config": {"max_position_embeddings": 77}}, 77),
        ({"max_position_embeddings": "many"}, None),
    ],
)
def test_the_context_length_counts_its_extension(folder, config, length):
    write_config(folder, **config)
    assert describe(folder).context_length == length


@pytest.mark.parametrize(
    ("quantization", "method"),
    [({"quant_method": "gptq"}, "gptq"), ({"load_in_4bit": True}, "bitsandbytes"), (None, None)],
)
def test_packed_weights_have_a_method_and_no_numbers(folder, quantization, method):
    write_config(folder, quantization_config=quantization)
    fact = describe(folder)
    assert fact.prequantized == method
    assert (fact.parameters is None, fact.shapes is None, fact.stored_dtype is None) == (method is not None,) * 3
    assert fact.modules is not None


def test_code_that_comes_along_and_pickled_weights_are_seen(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (folder / "training_args.bin").touch()
    write_config(folder, auto_map={"AutoModelForCausalLM": "modeling.Model"})
    fact = describe(folder)
    assert (fact.has_remote_code, fact.is_pickle, fact.modules) == (True, True, None)


def test_special_tokens_and_the_template_come_from_the_tokenizers_files(folder):
    assert (describe(folder).tokens, describe(folder).has_chat_template) == (None, False)
    tokenizer = {"added_tokens": [{"content": "<s>"}], "model": {"vocab": {"the": 1, "<|pad|>": 2, "<b>": 3}}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": "{%- generation %}"}]
    config = {"added_tokens_decoder": {"9": {"content": "<eot>"}}, "chat_template": named}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    fact = describe(folder)
    assert fact.tokens == {"<s>", "<|pad|>", "<eot>"}
    assert (fact.has_chat_template, fact.template_has_generation_markers) == (True, True)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert describe(folder).template_has_generation_markers is False


def test_a_hub_model_is_pinned_by_a_commit_only(tmp_path, monkeypatch, folder):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    commit = "a" * 40
    root = tmp_path / "hub/models--org--name"
    (root / "snapshots").mkdir(parents=True)
    folder.rename(root / "snapshots" / commit)
    (root / "refs").mkdir()
    (root / "refs/main").write_text(commit)
    pinned = {revision: describe("org/name", revision).revision_is_pinned for revision in (None, "main", commit)}
    assert pinned == {None: False, "main": False, commit: True}


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, b"\xff" * 16, struct.pack("<Q", 9) + b"not json!"])
def test_a_damaged_safetensors_file_is_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ValueError):
        read_safetensors_header(tmp_path / "x.safetensors")


def gguf_bytes(tensors):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    def array(key, kind, form, values):
        body = b"".join(text(value) if form is None else struct.pack(form, value) for value in values)
        return text(key) + struct.pack("<IIQ", 9, kind, len(values)) + body

    pairs = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    pairs += array("tokenizer.ggml.tokens", 8, None, ["<s>", "a", "<|x|>", "<u>"])
    pairs += array("tokenizer.ggml.token_type", 5, "<i", [3, 1, 1, 4])
    body = b"".join(
        text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", 3, 0)
        for name, shape in tensors.items()
    )
    return b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 3) + pairs + body


def test_a_gguf_file_has_transformers_names_and_pytorchs_shapes(tmp_path):
    tensors = {
        "token_embd.weight": (8, 32),
        "blk.11.ffn_down.weight": (16, 8),
        "blk.11.attn_norm.weight": (8,),
        "blk.11.something_new.weight": (8, 8),
    }
    (tmp_path / "x.gguf").write_bytes(gguf_bytes(tensors))
    fact = describe(tmp_path / "x.gguf")
    assert fact.shapes == {
        "lm_head": (32, 8),
        "model.embed_tokens": (32, 8),
        "model.layers.11.mlp.down_proj": (8, 16),
    }
    assert (fact.linear, fact.stored_dtype, fact.parameters) == ({"down_proj"}, "q4_1", 456)
    assert fact.tokens == {"<s>", "<|x|>", "<u>"}


def test_a_damaged_length_in_a_gguf_file_takes_no_memory(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 2**62))
    with pytest.raises(ValueError, match="damaged"):
        read_gguf_header(tmp_path / "x.gguf")
