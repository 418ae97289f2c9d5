"""A random model (Gemma 3) for llama.cpp whose layers look back at the last tokens alone."""

from pathlib import Path

import gguf
import numpy as np

from tests.integration.serving.gguf_files import add_tokenizer, finish

WINDOW = 32
_LAYERS, _WIDTH, _HEADS, _HEAD, _INNER, _TOKENS = 2, 32, 2, 16, 64, 49152


def write_sliding_window_gguf(target: Path) -> Path:
    """Write the model with the tokenizer of the real one, and return its path."""
    random = np.random.default_rng(0)

    def matrix(*shape: int) -> np.ndarray:
        return random.normal(0, 0.3, shape).astype(np.float32)

    writer = gguf.GGUFWriter(target, "gemma3")
    writer.add_context_length(1024)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_sliding_window(WINDOW)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_tokenizer(writer)
    tensors = {"token_embd.weight": matrix(_TOKENS, _WIDTH), "output_norm.weight": np.ones(_WIDTH, np.float32)}
    for layer in range(_LAYERS):
        shapes = {
            "attn_q": (_HEADS * _HEAD, _WIDTH),
            "attn_k": (_HEADS * _HEAD, _WIDTH),
            "attn_v": (_HEADS * _HEAD, _WIDTH),
            "attn_output": (_WIDTH, _HEADS * _HEAD),
            "ffn_gate": (_INNER, _WIDTH),
            "ffn_up": (_INNER, _WIDTH),
            "ffn_down": (_WIDTH, _INNER),
        }
        tensors |= {f"blk.{layer}.{name}.weight": matrix(*shape) for name, shape in shapes.items()}
        norms = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        tensors |= {f"blk.{layer}.{name}.weight": np.ones(_WIDTH, np.float32) for name in norms}
        tensors |= {f"blk.{layer}.attn_{one}_norm.weight": np.ones(_HEAD, np.float32) for one in "qk"}
    finish(writer, tensors)
    return target
