"""Where each effective value of a config came from, as `peftw explain --json` prints it."""

from typing import Any, Literal

from peft_schemas.base import Word

Origin = Literal["user", "preset", "template", "profile", "computed", "default"]


class ExplainedValue(Word):
    """One effective value."""

    path: str
    """Dotted path such as `training.batch_size` or `datasets[0].path`."""

    value: Any
    origin: Origin
    reason: str | None
    """One sentence that says why, None for what the user wrote."""


class ExplainReport(Word):
    """Every effective value, in the order of the config language."""

    values: list[ExplainedValue]
