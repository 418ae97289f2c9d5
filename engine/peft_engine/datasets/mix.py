"""Several datasets into one: what is held out, and how often each example is used."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from peft_schemas.config import DatasetConfig
from peft_schemas.errors import WorkbenchError

T = TypeVar("T")


@dataclass(frozen=True)
class Split(Generic[T]):
    """Training examples, and those held out to measure on. No example's content is on both sides."""

    train: tuple[T, ...]
    held_out: tuple[T, ...]


def split_off(examples: Sequence[T], share: float, seed: int) -> Split[T]:
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


def mix(parts: Sequence[tuple[Sequence[T], float]], seed: int) -> tuple[T, ...]:
    """Join datasets, each example used `weight` times an epoch.

    A weight of 2.5 uses every example twice and half of them, chosen by the seed, a third time. What is chosen depends
    on the numbers of examples and not on what they are.
    """
    rng = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    mixed: list[T] = []
    for examples, weight in parts:
        whole, part = int(weight), weight - int(weight)
        mixed.extend(list(examples) * whole)
        mixed.extend(rng.sample(list(examples), round(len(examples) * part)))
    return tuple(mixed)


def mix_as_configured(parts: Sequence[Sequence[T]], datasets: Sequence[DatasetConfig], seed: int) -> tuple[T, ...]:
    """Join datasets as often as the config's weights say.

    Raises:
        WorkbenchError: A weight leaves no example of a dataset (`dataset-empty`).
    """
    weighted = [(part, dataset.weight) for part, dataset in zip(parts, datasets, strict=True)]
    for part, dataset in zip(parts, datasets, strict=True):
        if round(len(part) * dataset.weight) == 0:
            raise WorkbenchError(
                "dataset-empty",
                f"`weight: {dataset.weight:g}` leaves none of the {len(part)} examples of {dataset.path}.",
                "Raise the weight, or leave the dataset out.",
            )
    return mix(weighted, seed)
