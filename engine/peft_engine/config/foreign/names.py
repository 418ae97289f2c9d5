"""Key names of other fine-tuning tools, and the same things in our language."""

from functools import cache
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict


class ForeignName(BaseModel):
    """A name that other tools have for a key of ours."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: str
    """Our key, `[]` marking a list: `datasets[].path`."""

    tools: list[str]
    """The tools that use the name."""

    values: dict[bool | int | str, bool | str] = {}
    """Its values that are written otherwise here, and how."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    aliases: dict[str, ForeignName]
    words: dict[str, dict[bool | int | str, str | None]]


@cache
def foreign_names() -> dict[str, ForeignName]:
    """Return the foreign names that have an equivalent here."""
    return _read().aliases


@cache
def foreign_words() -> dict[str, dict[str, str | None]]:
    """Return, by the name of our key, what other tools' words mean here, in small letters.

    None stands for what has no equivalent, however near a choice of ours is spelt.
    """
    return {key: {_word(word): meaning for word, meaning in words.items()} for key, words in _read().words.items()}


def foreign_value(name: str, value: Any) -> bool | str | None:
    """Return how the value of a foreign key is written here, None where it is written the same or cannot be."""
    known = foreign_names()[name].values
    return next((ours for theirs, ours in known.items() if theirs == value and type(theirs) is type(value)), None)


@cache
def _read() -> _Table:
    text = resources.files("peft_profiles").joinpath("aliases.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _Table.model_validate(yaml.load(text, Loader=loader))  # noqa: S506  (both are safe loaders)


def _word(word: bool | int | str) -> str:
    return str(word).lower()
