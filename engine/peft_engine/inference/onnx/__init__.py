"""The engine for folders of ONNX Runtime GenAI."""

from peft_engine.inference.onnx.engine import OnnxEngine

__all__ = ["OnnxEngine"]
