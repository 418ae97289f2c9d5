"""How keys are shown to people: in hovers, in completions and in the reference."""

from peft_daemon.language.rules.values import written
from peft_engine.config.schema import Key

_TYPES = {
    "text": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "list of texts": "list of texts",
}


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
