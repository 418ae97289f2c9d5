"""Engines whose runtime computes one sequence at a time, each in a memory of its own."""

from peft_engine.inference.lone.engine import LoneEngine
from peft_engine.inference.lone.weights import KeyValues, Weights

__all__ = ["KeyValues", "LoneEngine", "Weights"]
