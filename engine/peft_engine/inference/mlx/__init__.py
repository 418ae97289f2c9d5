"""The engine for folders of MLX."""

from peft_engine.inference.mlx.engine import MlxEngine

__all__ = ["MlxEngine"]
