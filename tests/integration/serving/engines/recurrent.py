"""A random recurrent model (Mamba) for llama.cpp: one state for all that was read, of which no end can be cut off."""

from pathlib import Path

import gguf
import numpy as np

from tests.integration.serving.gguf_files import add_tokenizer, finish

_LAYERS, _WIDTH, _INNER, _STATE, _STEP, _KERNEL, _TOKENS = 2, 32, 64, 8, 4, 4, 49152


def write_recurrent_gguf(target: Path) -> Path:
    """Write the model with the tokenizer of the real one, and return its path."""
    random = np.random.default_rng(0)

    def matrix(*shape: int, scale: float = 0.3) -> np.ndarray:
        return random.normal(0, scale, shape).astype(np.float32)

    writer = gguf.GGUFWriter(target, "mamba")
    writer.add_context_length(512)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_ssm_conv_kernel(_KERNEL)
    writer.add_ssm_inner_size(_INNER)
    writer.add_ssm_state_size(_STATE)
    writer.add_ssm_time_step_rank(_STEP)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_tokenizer(writer)
    tensors = {"token_embd.weight": matrix(_TOKENS, _WIDTH), "output_norm.weight": np.ones(_WIDTH, np.float32)}
    for layer in range(_LAYERS):
        tensors |= {
            f"blk.{layer}.{name}": content
            for name, content in {
                "attn_norm.weight": np.ones(_WIDTH, np.float32),
                "ssm_in.weight": matrix(2 * _INNER, _WIDTH),
                "ssm_conv1d.weight": matrix(_INNER, _KERNEL),
                "ssm_conv1d.bias": matrix(_INNER),
                "ssm_x.weight": matrix(_STEP + 2 * _STATE, _INNER),
                "ssm_dt.weight": matrix(_INNER, _STEP),
                "ssm_dt.bias": matrix(_INNER),
                # Negative, so that what was read long ago fades.
                "ssm_a": -np.exp(matrix(_INNER, _STATE)),
                "ssm_d": matrix(_INNER),
                "ssm_out.weight": matrix(_WIDTH, _INNER),
            }.items()
        }
    finish(writer, tensors)
    return target
