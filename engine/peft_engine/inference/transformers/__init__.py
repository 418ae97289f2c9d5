"""The engine for safetensors folders and PEFT adapters, on the library transformers."""

from peft_engine.inference.transformers.engine import TransformersEngine

__all__ = ["TransformersEngine"]
