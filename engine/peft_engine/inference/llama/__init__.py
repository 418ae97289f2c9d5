"""The engine for GGUF files, on llama.cpp's low-level API: the high-level one fixes one adapter at construction."""

from peft_engine.inference.llama.engine import LlamaEngine

__all__ = ["LlamaEngine"]
