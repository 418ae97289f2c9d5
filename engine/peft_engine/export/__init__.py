"""Finished weights in other forms: an adapter as GGUF for llama.cpp or merged into its base. Heavy; workers only."""

import logging

# PEFT imports bitsandbytes, which on some processors then advises to install kernels for its 4-bit format.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

from peft_engine.export.lora_gguf import write_lora_gguf  # noqa: E402
from peft_engine.export.merged import write_merged  # noqa: E402
from peft_engine.models.refusal import NotConvertible  # noqa: E402

__all__ = ["NotConvertible", "write_lora_gguf", "write_merged"]
