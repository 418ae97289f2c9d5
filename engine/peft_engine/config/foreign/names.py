"""Key names of other fine-tuning tools, and the same things in our language."""

from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict


class ForeignName(BaseModel):
    """A name that other tools have for a key of ours."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: str
    """Our key, `[]` marking a list: `datasets[].path`."""

    tools: list[str]
    """The tools that use the name."""


class _Table(BaseModel):
    aliases: dict[str, ForeignName]


@cache
def foreign_names() -> dict[str, ForeignName]:
    """Return the foreign names that have an exact equivalent here."""
    text = resources.files("peft_profiles").joinpath("aliases.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _Table.model_validate(yaml.load(text, Loader=loader)).aliases  # noqa: S506  (both are safe loaders)
