"""The words of the trade: finding them in a text, and what they mean."""

import re
from functools import cache
from typing import Annotated

from pydantic import Field

from peft_engine.profiles import read_data
from peft_schemas.base import Word


class Term(Word):
    """What a word of the trade means."""

    also: list[str] = []
    """Other spellings, such as its plural."""

    meaning: Annotated[str, Field(min_length=10)]


class Glossary(Word):
    """The content of `glossary.yaml`."""

    terms: dict[str, Term]


@cache
def glossary() -> dict[str, Term]:
    """Return every term by its name."""
    return Glossary.model_validate(read_data("glossary.yaml")).terms


def terms_in(text: str) -> list[str]:
    """Return the names of the terms that occur in a text as whole words, each once, in their order."""
    names = _names()
    return list(dict.fromkeys(names[match.group().lower()] for match in _pattern().finditer(text)))


def explained(text: str) -> str:
    """Return a Markdown text with the meaning of its terms below it."""
    terms = glossary()
    lines = [f"- *{name}*: {terms[name].meaning}" for name in terms_in(text)]
    return "\n".join([text, "", "---", *lines]) if lines else text


@cache
def _names() -> dict[str, str]:
    """Return the name of the term that each spelling means, in lower case."""
    return {spelling.lower(): name for name, term in glossary().items() for spelling in (name, *term.also)}


@cache
def _pattern() -> re.Pattern[str]:
    # The longest first, so that "chat template" is not taken for "template". A dot, dash or underscore makes the word a
    # part of another one, such as `method.type`.
    spellings = "|".join(re.escape(spelling) for spelling in sorted(_names(), key=len, reverse=True))
    return re.compile(rf"(?<![\w.+-])(?:{spellings})(?![\w+-]|\.\w)", re.IGNORECASE)
