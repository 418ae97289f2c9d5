"""Keys to other services, recognised by their form, and kept out of what is said."""

import re
from functools import cache

from peft_engine.profiles import read_data
from peft_schemas.base import Word


class SecretKind(Word):
    """One kind of key."""

    kind: str
    """In words, with its article."""

    start: str
    """How each begins; a text without it is not searched further."""

    pattern: str


class Secrets(Word):
    """The content of `secrets.yaml`."""

    secrets: list[SecretKind]


def find_secrets(text: str) -> list[tuple[str, int, int]]:
    """Return the kind, start and end of everything in a text that looks like a secret."""
    return [
        (kind, *match.span()) for kind, start, pattern in _kinds() if start in text for match in pattern.finditer(text)
    ]


def masked(text: str) -> str:
    """Return a text with stars in the place of what looks like a secret."""
    for _, start, end in find_secrets(text):
        text = text[:start] + "*" * (end - start) + text[end:]
    return text


@cache
def _kinds() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    read = Secrets.model_validate(read_data("secrets.yaml")).secrets
    return tuple((one.kind, one.start, re.compile(rf"(?<![A-Za-z0-9]){one.pattern}")) for one in read)
