"""What each listed value of a key means, in a few words."""

from functools import cache

from peft_engine.profiles import read_data
from peft_schemas.base import Word


class Choices(Word):
    """The content of `choices.yaml`."""

    choices: dict[str, dict[str | int, str]]
    """By the dotted path of the key, `[]` marking a list, and by value."""


def choice_meaning(path: str, value: str | int) -> str | None:
    """Return what a value of a key means, None when its values are not listed."""
    return _choices().get(path, {}).get(value)


@cache
def _choices() -> dict[str, dict[str | int, str]]:
    return Choices.model_validate(read_data("choices.yaml")).choices
