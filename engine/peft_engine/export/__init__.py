"""Finished weights in other forms: a PEFT adapter as GGUF for llama.cpp. Heavy; worker processes only."""

from peft_engine.export.lora_gguf import NotConvertible, write_lora_gguf

__all__ = ["NotConvertible", "write_lora_gguf"]
