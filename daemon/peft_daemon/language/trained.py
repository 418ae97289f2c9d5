"""How many numbers a method trains, counted from the shapes of the base's weights."""

from collections.abc import Callable
from dataclasses import dataclass

from peft_daemon.language.context import ModelFact
from peft_daemon.language.rules.patterns import matches_any


@dataclass(frozen=True)
class Count:
    """A number of parameters, and where they are."""

    value: int
    formula: str


def trainable(model: ModelFact, *, method: str, rank: int, targets: str | list[str], saved: list[str]) -> Count | None:
    """Return how many parameters are trained, None when the base's files do not tell.

    Args:
        model: What is known of the base.
        method: `method.type`.
        rank: `method.r`.
        targets: `method.target_modules`.
        saved: `method.modules_to_save`.
    """
    if method == "full":
        return None if model.parameters is None else Count(model.parameters, "every weight of the base")
    matches = _matcher(model, targets)
    if model.shapes is None or matches is None:
        return None
    chosen = [shape for name, shape in model.shapes.items() if matches(name)]
    if not chosen:
        return None
    value = sum(rank * (rows + columns) for rows, columns in chosen)
    if method == "dora":
        # One magnitude for each output.
        value += sum(rows for rows, _ in chosen)
    formula = f"rank {rank} in {len(chosen)} layers"
    for name in saved:
        whole = [shape for full, shape in model.shapes.items() if _named(full, name)]
        if not whole:
            return None
        value += sum(rows * columns for rows, columns in whole)
    if saved:
        formula += f", and all of {', '.join(saved)}"
    return Count(value, formula)


def _matcher(model: ModelFact, targets: str | list[str]) -> Callable[[str], bool] | None:
    """Return what tells whether a module gets an adapter, as PEFT decides it."""
    if targets == "all-linear":
        linear = model.linear
        return None if linear is None else lambda name: name.rpartition(".")[2] in linear
    if isinstance(targets, list):
        return lambda name: any(_named(name, target) for target in targets)
    if matches_any(targets, ()) is None:  # faulty, or one that could take too long
        return None
    return lambda name: bool(matches_any(targets, (name,)))


def _named(full: str, name: str) -> bool:
    return full == name or full.endswith(f".{name}")
