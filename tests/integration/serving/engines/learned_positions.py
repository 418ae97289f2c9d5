"""A random model (GPT-2) for llama.cpp that learned each position by itself: behind the last there is none."""

from pathlib import Path

import gguf
import numpy as np

from tests.integration.serving.gguf_files import add_tokenizer, finish

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
    add_tokenizer(writer)
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
    finish(writer, tensors)
    return target
