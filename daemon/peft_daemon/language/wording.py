"""How keys, figures and numbers are shown to people: in the editor, in the terminal, in the reference."""

from peft_daemon.language.rules.values import written
from peft_engine.config.schema import Key
from peft_schemas.estimate import Figure, FigureName

_TYPES = {
    "text": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "list of texts": "list of texts",
}

FIGURES: dict[FigureName, str] = {
    "effective_batch": "effective batch",
    "examples": "examples an epoch",
    "steps": "steps",
    "tokens_per_step": "tokens a step",
    "trainable_parameters": "trainable parameters",
}
"""What each figure is called."""

_OF_ONE: dict[FigureName, str] = {"examples": "example an epoch", "steps": "step", "tokens_per_step": "token a step"}


def type_of(key: Key) -> str:
    """Say what kind of value a key takes."""
    if key.section is not None:
        return "list of sections" if key.is_list else "section"
    if key.choices:
        return " | ".join(str(choice) for choice in key.choices)
    return " or ".join(_TYPES[kind] for kind in key.types)


def facts(key: Key) -> list[str]:
    """Return type, range and default as short phrases."""
    parts = [type_of(key)]
    if str(key.bounds):
        parts.append(str(key.bounds))
    if key.required:
        parts.append("required")
    elif key.section is None:
        parts.append(f"default `{written(key.default)}`" if key.default is not None else "no default")
    return parts


def counted(number: int, noun: str) -> str:
    """Say how many there are of what forms its plural by an s: `1 example`, `1,024 examples`."""
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def amount(figure: Figure) -> str:
    """Write a figure's number as people read it: `≤ 4,096`."""
    return f"{'≤ ' if figure.is_upper_bound else ''}{figure.value:,}"


def phrase(figure: Figure) -> str:
    """Say a figure in the width of a lens or a hint: `4.88 M trainable parameters`."""
    bound, value = "≤ " if figure.is_upper_bound else "", f"{figure.value:,}"
    for unit, letter in ((1_000_000_000, "B"), (1_000_000, "M")):
        if figure.value >= unit:
            value = f"{figure.value / unit:.3g} {letter}"
            break
    if figure.name == "effective_batch":
        return f"effective batch {bound}{value}"
    name = FIGURES[figure.name]
    return f"{bound}{value} {_OF_ONE.get(figure.name, name) if figure.value == 1 else name}"
