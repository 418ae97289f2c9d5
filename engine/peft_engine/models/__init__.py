"""Base models: where one is on this machine (light), and how it is made ready to train (in a process of its own)."""

from peft_engine.models.resolve import ResolvedBase, resolve_base

__all__ = ["ResolvedBase", "resolve_base"]
