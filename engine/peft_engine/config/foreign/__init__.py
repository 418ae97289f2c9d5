"""Configs of other fine-tuning tools: their names for our keys, and their files read and written."""

from peft_engine.config.foreign.absent import ForeignKey, without_equivalent
from peft_engine.config.foreign.names import ForeignName, foreign_names, foreign_value, foreign_words

__all__ = ["ForeignKey", "ForeignName", "foreign_names", "foreign_value", "foreign_words", "without_equivalent"]
