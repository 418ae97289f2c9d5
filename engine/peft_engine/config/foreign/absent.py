"""Keys of other fine-tuning tools that have no equivalent in our language."""

from functools import cache
from typing import NamedTuple, get_args

from peft_engine.config.foreign.tables import Tool, load_table


class ForeignKey(NamedTuple):
    """A key that another tool has and our language does not."""

    tool: str
    because: str
    """Why there is none, as one plain sentence."""


def without_equivalent(name: str) -> ForeignKey | None:
    """Return what is known of another tool's top-level key that has no equivalent here, None when there is no such."""
    return _known().get(name)


@cache
def _known() -> dict[str, ForeignKey]:
    known: dict[str, ForeignKey] = {}
    for tool in get_args(Tool):
        table = load_table(tool)
        for group in table.absent:
            for key in group.keys:
                known.setdefault(key, ForeignKey(table.title, group.because))
    return known
