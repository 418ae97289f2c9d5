"""The reference pages of what ships in `profiles/`: the use cases, the starting points, and the words of the trade."""

from collections.abc import Mapping
from typing import Any, get_args

from peft_daemon.language.glossary import glossary
from peft_daemon.language.rules.values import written
from peft_engine.profiles import load_profile, load_template
from peft_schemas.config import ProfileName, TemplateName


def profiles_page(notice: str) -> str:
    """Return the page of the profiles and templates with the values that they bring."""
    lines = ["# Profiles and templates", "", f"<!-- {notice} -->", ""]
    lines += [
        "What a config that names them is filled with, where nothing stronger says otherwise: "
        "[presets and precedence](../how-to/presets.md).",
        "",
        "## Profiles",
        "",
    ]
    for name in get_args(ProfileName):
        profile = load_profile(name)
        lines += [f"### `{name}`", "", profile.description, ""]
        lines += [f"- {use_case}" for use_case in profile.use_cases]
        lines += ["", *_values(profile.values)]
    lines += ["## Templates", ""]
    for name in get_args(TemplateName):
        template = load_template(name)
        lines += [f"### `{name}`", "", template.description, "", *_values(template.values)]
    return "\n".join(lines)


def glossary_page(notice: str) -> str:
    """Return the page of the words that the editor explains where they occur."""
    lines = ["# The words of the trade", "", f"<!-- {notice} -->", ""]
    lines += ["A hover explains each of these where it occurs.", ""]
    for name, term in sorted(glossary().items(), key=lambda item: item[0].lower()):
        lines.append(f"- **{name}**: {term.meaning}")
    return "\n".join([*lines, ""])


def _values(values: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["| key | value |", "|---|---|"]
    for section, keys in values.items():
        lines += [f"| `{section}.{key}` | `{written(value)}` |" for key, value in keys.items()]
    return [*lines, ""]
