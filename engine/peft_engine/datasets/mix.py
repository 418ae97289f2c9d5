"""Several datasets into one: what is held out, and how often each example is used."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from peft_engine.datasets.examples import Example


@dataclass(frozen=True)
class Split:
    """Training examples, and those held out to measure on. No example's content is on both sides."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]


def split_off(examples: Sequence[Example], share: float, seed: int) -> Split:
    """Hold out a share of the distinct examples, chosen by the seed.

    Copies of one example stay together, so that nothing is measured on what was learned. The order of the examples is
    kept. At least one distinct example stays for training; a share above zero holds out at least one where two exist.
    """
    distinct = list(dict.fromkeys(examples))
    count = min(max(round(len(distinct) * share), 1), len(distinct) - 1) if share > 0 else 0
    chosen = set(random.Random(seed).sample(distinct, max(count, 0)))  # noqa: S311  (repeatable, not secret)
    return Split(
        train=tuple(example for example in examples if example not in chosen),
        held_out=tuple(example for example in distinct if example in chosen),
    )


def mix(parts: Sequence[tuple[Sequence[Example], float]], seed: int) -> tuple[Example, ...]:
    """Join datasets, each example used `weight` times an epoch.

    A weight of 2.5 uses every example twice and half of them, chosen by the seed, a third time.
    """
    rng = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    mixed: list[Example] = []
    for examples, weight in parts:
        whole, part = int(weight), weight - int(weight)
        mixed.extend(list(examples) * whole)
        mixed.extend(rng.sample(list(examples), round(len(examples) * part)))
    return tuple(mixed)
