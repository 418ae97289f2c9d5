"""Configs of other fine-tuning tools: their names for our keys, and their files read and written."""

from peft_engine.config.foreign.names import ForeignName, foreign_names

__all__ = ["ForeignName", "foreign_names"]
