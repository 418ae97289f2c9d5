"""What can be wrong with a text before it is a config."""

from dataclasses import dataclass
from typing import Literal

ProblemKind = Literal[
    "syntax",
    "indent",
    "incomplete",
    "tab",
    "conflict",
    "alias",
    "tag",
    "merge",
    "control",
    "space",
    "documents",
    "limit",
]


@dataclass(frozen=True)
class Problem:
    """One fault of the text, between two offsets."""

    kind: ProblemKind
    message: str
    """One plain sentence."""

    start: int
    end: int
