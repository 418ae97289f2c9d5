"""What stands behind a value: what a profile brings, what a dataset's file holds, what the base model is."""

from collections.abc import Mapping
from typing import Any, get_args

from peft_daemon.language.context import CheckContext, DatasetFact, ModelFact
from peft_daemon.language.rules.subject import written_value
from peft_engine.profiles import known_models, load_profile, load_template
from peft_schemas.config import ProfileName, TemplateName

_MOST_NAMES = 12
"""Names of one kind that are listed."""


def about(path: str, value: Any, context: CheckContext) -> str | None:
    """Return what is known of a value as Markdown, None when nothing is.

    Args:
        path: The dotted path of its key, `[]` marking a list.
        value: The plain value.
        context: What is known of the world.
    """
    if not isinstance(value, str):
        return None
    match path:
        case "profile" if value in get_args(ProfileName):
            profile = load_profile(value)
            uses = "".join(f"\n- {use}" for use in profile.use_cases)
            return f"**{profile.title}**: {profile.description}\n{uses}\n\n{brings(profile.values)}"
        case "template" if value in get_args(TemplateName):
            template = load_template(value)
            return f"**{template.title}**: {template.description}\n\n{brings(template.values)}"
        case "preset" if value in context.presets:
            return brings(context.presets[value])
        case "datasets[].path" | "evaluation.datasets[].path" if value in context.datasets:
            return _dataset(context.datasets[value])
        case "model.base":
            return _model(value, context.model)
    return None


def brings(values: Mapping[str, Any]) -> str:
    """List the values of a profile, template or preset."""
    lines = []
    for section, keys in values.items():
        if isinstance(keys, Mapping):
            written = ", ".join(f"{key}: {written_value(value)}" for key, value in keys.items())
            lines.append(f"- `{section}`: {written}")
    return "\n".join(["It sets, where nothing else is written:", "", *lines])


def _dataset(fact: DatasetFact) -> str:
    facts = ["" if fact.records is None else f"{fact.records:,} records", fact.format or "unknown format"]
    if fact.columns:
        facts.append("columns " + _listed(fact.columns))
    if fact.duplicates:
        facts.append(f"{fact.duplicates:,} of them repeated")
    if fact.tokens_p50 is not None and fact.tokens_p99 is not None:
        facts.append(f"half of them up to {fact.tokens_p50:,} tokens, 99 % up to {fact.tokens_p99:,}")
    elif fact.characters_p50 is not None and fact.characters_p99 is not None:
        facts.append(f"half of them up to {fact.characters_p50:,} characters, 99 % up to {fact.characters_p99:,}")
    return "In this file: " + "; ".join(filter(None, facts)) + "."


def _model(base: str, fact: ModelFact | None) -> str | None:
    known = known_models().get(base)
    context_length = known.context_length if known is not None else None
    facts = []
    if fact is not None:
        context_length = fact.context_length or context_length
        facts = [
            f"{fact.parameters:,} parameters" if fact.parameters else "",
            f"stored as {fact.stored_dtype}" if fact.stored_dtype else "",
            f"already quantized by {fact.prequantized}" if fact.prequantized else "",
            f"of the type {fact.model_type}" if fact.model_type else "",
        ]
    facts.append(f"context length {context_length:,} tokens" if context_length else "")
    facts.append(f"licence {known.licence}" if known is not None else "")
    shown = "; ".join(filter(None, facts))
    return f"This model: {shown}." if shown else None


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
