"""The base class that every model of the vocabulary shares."""

from pydantic import BaseModel, ConfigDict


class Word(BaseModel):
    """An immutable value of the vocabulary: unknown keys are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class Empty(Word):
    """Nothing to say."""
