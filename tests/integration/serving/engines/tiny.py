"""A random model with a real tokenizer, small enough to be loaded again and again, in each engine's form."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from peft_engine.export import write_lora_gguf
from tests.integration.serving.gguf_files import add_tokenizer, finish

CONTEXT = 512
_LAYERS, _WIDTH, _HEADS, _KV_HEADS = 2, 64, 4, 2


def write_base(folder: Path, real: Path) -> None:
    """Write a Llama of random weights whose answers are far from even, with the tokenizer of the real model.

    Args:
        folder: Where to.
        real: The real model's folder.
    """
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=_WIDTH,
        intermediate_size=96,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS,
        num_key_value_heads=_KV_HEADS,
        max_position_embeddings=CONTEXT,
        initializer_range=0.3,
        rms_norm_eps=1e-5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(real / file, folder / file)


def write_gguf(folder: Path, target: Path) -> None:
    """Write the same weights in float32 for llama.cpp, with the real model's tokenizer."""
    config = json.loads((folder / "config.json").read_bytes())
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_tokenizer(writer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, _LAYERS)
    tensors: dict[str, np.ndarray] = {}
    for name, tensor in LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict().items():
        heads = {"q_proj": _HEADS, "k_proj": _KV_HEADS}.get(name.split(".")[-2])
        array = tensor.numpy()
        if heads:
            # transformers halves each head for its rotation, llama.cpp pairs neighbours.
            array = array.reshape(heads, 2, -1, _WIDTH).swapaxes(1, 2).reshape(array.shape)
        tensors[names.get_name(name, try_suffixes=(".weight",))] = array
    finish(writer, tensors)


def kept_onnx(base: Path, cache: Path) -> Path:
    """Return the folder of the same weights for ONNX Runtime GenAI, exported when it was not before.

    Args:
        base: The folder of the weights.
        cache: Where the export is kept between runs of the tests.
    """
    weights = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()[:16]
    kept = cache / f"tiny-onnx-{metadata.version('onnxruntime-genai')}-{weights}"
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as made:
            folder = write_onnx(base, Path(made) / "onnx")
            # Of several test processes the first one's stays.
            if not kept.is_dir():
                folder.rename(kept)
    return kept


def write_onnx(base: Path, folder: Path) -> Path:
    """Export a folder of transformers with the runtime's own builder, in float32, and return the new folder."""
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-p", "fp32", "-e", "cpu"]
    with tempfile.TemporaryDirectory() as cache:
        command = [*builder, "-m", str(base), "-o", str(folder), "-c", cache]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    return folder


def write_mlx(base: Path, folder: Path) -> Path:
    """Write a folder of transformers as MLX writes one, and return it."""
    import mlx.core as mx

    shutil.copytree(base, folder)
    file = str(folder / "model.safetensors")
    tensors = mx.load(file)
    mx.eval(tensors)
    mx.save_safetensors(file, tensors, metadata={"format": "mlx"})
    return folder


def write_adapter(base: Path, folder: Path, *, seed: int, strength: float = 0.1, **settings: Any) -> Path:
    """Write a PEFT adapter whose every number is random, as training leaves it, and return its folder."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    adapted = get_peft_model(model, LoraConfig(**config))
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * strength)
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return folder


def write_adapter_gguf(base: Path, adapter: Path, target: Path) -> Path:
    """Write an adapter's GGUF form and return its path."""
    write_lora_gguf(adapter, json.loads((base / "config.json").read_bytes()), target)
    return target
