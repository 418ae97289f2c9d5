"""Planting at random: a good config, a kind of fault, and line ends."""

import random
from functools import cache
from pathlib import Path

from benchmarks.findings.faults import Planted
from benchmarks.findings.kinds import KINDS
from benchmarks.findings.sheet import CannotPlantError, Sheet

CORPUS = Path(__file__).parents[2] / "tests/corpus/good"
_ATTEMPTS = 60


@cache
def good_texts() -> tuple[str, ...]:
    """Return the good configs of the corpus that PyYAML can read too."""
    texts = [path.read_bytes().decode() for path in sorted(CORPUS.glob("*.peft.yaml"))]
    return tuple(text for text in texts if _is_readable(text))


def plant(kind: str, seed: int) -> tuple[Planted, str]:
    """Plant a fault of a kind at a random place of a random good config.

    Returns:
        The fault, and the good text.

    Raises:
        CannotPlantError: Nothing in the corpus can have it.
    """
    dice = random.Random(f"{kind} {seed}")
    for _ in range(_ATTEMPTS):
        good = dice.choice(good_texts())
        if dice.random() < 0.2 and "\r" not in good:
            good = good.replace("\n", "\r\n")
        try:
            return KINDS[kind](good, dice), good
        except CannotPlantError:
            continue
    raise CannotPlantError(kind)


def _is_readable(text: str) -> bool:
    try:
        return bool(Sheet(text).root.children)
    except CannotPlantError:
        return False
