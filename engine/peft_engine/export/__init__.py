"""Finished weights in other forms: an adapter as GGUF for llama.cpp or merged into its base. Heavy; workers only."""

from peft_engine.export.lora_gguf import write_lora_gguf
from peft_engine.export.merged import write_merged
from peft_engine.models.refusal import NotConvertible

__all__ = ["NotConvertible", "write_lora_gguf", "write_merged"]
