"""How families of models write a conversation, from `prompt_formats.yaml`."""

from collections.abc import Container
from functools import cache
from typing import Annotated

from pydantic import Field, model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word


class PromptFormat(Word):
    """A family's way to write a conversation."""

    title: str
    """What people call it."""

    recognised_by: list[str] = []
    """Special tokens that a vocabulary made for it has, all of them; none where it must be named."""

    stop: list[str] = []
    """Texts that begin the user's turn, before which the assistant's ends."""

    template: str
    """A chat template in Jinja, as transformers knows them."""


class InfillTokens(Word):
    """Special tokens that mark a gap in a text."""

    prefix: str
    """Stands before what precedes the gap."""

    suffix: str
    """Stands before what follows the gap."""

    middle: str
    """Stands before what fills the gap."""


class PromptFormats(Word):
    """The content of `prompt_formats.yaml`."""

    formats: dict[str, PromptFormat]
    """By name."""

    turn_ends: Annotated[list[str], Field(min_length=1)]
    """Special tokens that end a turn in some family."""

    infill: list[InfillTokens]

    @model_validator(mode="after")
    def _unlike(self) -> "PromptFormats":
        marks = [frozenset(known.recognised_by) for known in self.formats.values() if known.recognised_by]
        if any(one <= other for place, one in enumerate(marks) for other in marks[:place] + marks[place + 1 :]):
            raise ValueError("two formats are recognised by the same tokens")
        return self


@cache
def prompt_formats() -> PromptFormats:
    """Return what is known of prompts."""
    return PromptFormats.model_validate(read_data("prompt_formats.yaml"))


def recognise_format(special_tokens: Container[str]) -> PromptFormat | None:
    """Return the format that a vocabulary was made for; None where its special tokens do not tell."""
    for known in prompt_formats().formats.values():
        if known.recognised_by and all(token in special_tokens for token in known.recognised_by):
            return known
    return None


def recognise_infill(special_tokens: Container[str]) -> InfillTokens | None:
    """Return the tokens by which a vocabulary marks a gap, None where it has none."""
    for known in prompt_formats().infill:
        if known.prefix in special_tokens and known.suffix in special_tokens and known.middle in special_tokens:
            return known
    return None
