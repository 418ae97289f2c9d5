"""Values that PyYAML, with which other tools read their configs, takes for something else."""

import random
import re
from dataclasses import replace

from benchmarks.findings.faults import Planted, planter
from benchmarks.findings.schematic import wrong_value
from benchmarks.findings.sheet import CannotPlantError, Sheet
from benchmarks.findings.surgery import Splice
from benchmarks.findings.syntactic import plain_spot


@planter("number-that-others-take-for-text")
def number_as_text(text: str, dice: random.Random) -> Planted:
    """An exponent without a point: YAML 1.1 takes it for text."""
    path, value = dice.choice(
        [("training.learning_rate", "1e-4"), ("training.learning_rate", "2E-4"), ("training.weight_decay", "1e-2"),
         ("training.max_grad_norm", "1e0")]
    )  # fmt: skip
    # However it is written, the rate may be one that the method does not suit.
    return replace(wrong_value(text, dice, path, value, "PW201"), consequences=frozenset({"PW504"}))


@planter("octal-for-others")
def octal(text: str, dice: random.Random) -> Planted:
    """A leading zero: YAML 1.1 counts in eights."""
    path, value = dice.choice([("training.seed", "014"), ("checkpoint.keep", "010"), ("training.logging_steps", "012")])
    return wrong_value(text, dice, path, value, "PW202")


@planter("text-that-others-take-for-something-else")
def text_as_other(text: str, dice: random.Random) -> Planted:
    """A date, a clock time or a yes without quotes."""
    path, value = dice.choice(
        [("name", "2024-01-01"), ("name", "yes"), ("model.revision", "off"), ("model.revision", "12:30:45"),
         ("name", "NO"), ("datasets.0.columns.text", "on")]
    )  # fmt: skip
    planted = wrong_value(text, dice, path, value, "PW203")
    if re.search(rf"[\"']{value}[\"']", planted.text):
        raise CannotPlantError("in quotes it is a text everywhere")
    return planted


@planter("text-not-as-it-looks")
def lookalike(text: str, dice: random.Random) -> Planted:
    """A text in typographic quotes, or with a character in it that has no width."""
    _, spot = plain_spot(text, dice, ("base", "revision"))
    value = text[spot.start : spot.end]
    if re.search(r"!\S*\s+$", text[: spot.start]):
        raise CannotPlantError("a tag says that the text is meant as it stands")
    written = dice.choice(
        [f"\u201c{value}\u201d", f"{value}\u200b", f"\u2018{value}\u2019", f"{value[:1]}\u2060{value[1:]}"]
    )
    line, column = Sheet(text).position(spot.start)
    place = frozenset({(line, column, line, column + len(written.encode("utf-16-le")) // 2)})
    return Planted(Splice(spot.start, spot.end, written).on(text), frozenset({"PW204"}), place, has_fix=True)
