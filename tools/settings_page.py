"""The reference page of what a user decides once for a machine: `settings.yaml`, and the settings of the extension."""

import json
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from peft_daemon.language.rules.values import written
from peft_engine.settings import DeviceKind, RetentionRule, Settings

_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "greater than", "maximum": "at most"}


def settings_page(notice: str, manifest: Path) -> str:
    """Return the page that lists every setting.

    Args:
        notice: What is said at its head.
        manifest: The extension's `package.json`.
    """
    lines = ["# Settings", "", f"<!-- {notice} -->", ""]
    lines += [
        "`settings.yaml` in the state folder, which `peftw doctor` names and `PEFTW_HOME` moves. Every key may be left "
        "out. There are examples where it is said what they are for: [how many runs compute at once]"
        "(../how-to/queue.md#how-many-compute-at-once), [where models are looked for](../how-to/models.md), "
        "[what may be cleaned up](../how-to/keep-runs.md#clean-up), [how models are served]"
        "(../how-to/serve-several-models.md#settings).",
        "",
    ]
    schema = Settings.model_json_schema()
    for name, field in Settings.model_fields.items():
        lines += [f"## `{name}`", "", _text(field.description), ""]
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += _table(section, schema["$defs"][section.__name__]["properties"])
        else:
            lines += [
                f"Keys are `{'`, `'.join(get_args(DeviceKind))}`; a value is {_takes(schema['properties'][name])}.",
                "",
            ]
    rule = schema["$defs"][RetentionRule.__name__]["properties"]
    lines += ["## A rule of `retention`", "", _text(RetentionRule.__doc__), "", *_table(RetentionRule, rule)]
    lines += ["## The extension for VS Code", "", "In the editor's own settings.", ""]
    lines += ["| setting | takes | default | meaning |", "|---|---|---|---|"]
    for name, setting in json.loads(manifest.read_text(encoding="utf-8"))["contributes"]["configuration"][
        "properties"
    ].items():
        default = f"`{written(setting['default'])}`" if setting["default"] != "" else ""
        meaning = setting.get("markdownDescription") or setting["description"]
        lines.append(f"| `{name}` | {_takes(setting)} | {default} | {meaning} |")
    return "\n".join([*lines, ""])


def _table(section: type[BaseModel], schema: dict[str, Any]) -> list[str]:
    lines = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        lines.append(f"| `{name}` | {_takes(schema[name])} | {_default(field)} | {_text(field.description)} |")
    return [*lines, ""]


def _default(field: FieldInfo) -> str:
    if field.default is None or isinstance(field.default, BaseModel):
        return ""
    return f"`{field.default if isinstance(field.default, str) else written(field.default)}`"


def _takes(schema: dict[str, Any]) -> str:
    """Say what kind of value a setting takes."""
    if "anyOf" in schema:
        schema = next(kind for kind in schema["anyOf"] if kind.get("type") != "null")
    if "$ref" in schema:
        return "a rule"
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "additionalProperties" in schema:
        return f"a {_takes(schema['additionalProperties'])}"
    if schema["type"] == "array":
        return "list of texts"
    if "%" in schema.get("pattern", ""):
        return "a share such as `60%`, or `8 GB`, `900 MB`"
    bounds = [f"{words} {schema[key]}" for key, words in _BOUNDS.items() if key in schema]
    return _TYPES[schema["type"]] + (f", {' and '.join(bounds)}" if bounds else "")


def _text(text: str | None) -> str:
    return " ".join((text or "").split())
