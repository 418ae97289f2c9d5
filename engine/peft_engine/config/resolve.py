"""From what a user wrote to every effective value, each with its origin.

Precedence, high to low: what the user wrote, the preset, the template, the profile, what is computed from the
situation, the language's defaults. A list is one value: a written list replaces the whole list below it.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from peft_engine.bounds import bounds
from peft_engine.config.presets import load_preset, preset_path
from peft_engine.profiles import load_profile, load_template
from peft_schemas.config import MethodConfig, ProfileName, RunConfig, TemplateName
from peft_schemas.explain import ExplainedValue, ExplainReport, Origin

_NAME_LENGTH = 64
ABSENT = object()
"""What a layer holds where it holds nothing."""


_RIVALS = (("training.warmup_steps", "training.warmup_ratio"), ("evaluation.split", "evaluation.datasets"))
"""Two ways to say one thing. Where a stronger layer has one, a weaker one's other is not meant."""

DECISIVE = ("method.type", "method.r", *chain.from_iterable(_RIVALS))
"""The keys on which it depends what the other layers bring."""


@dataclass(frozen=True)
class Layer:
    """Values from one origin."""

    origin: Origin
    reason: str | None
    values: Mapping[str, Any]

    def get(self, path: str) -> Any:
        """Return the value at a dotted path, `ABSENT` when the layer has none."""
        return _lookup(self.values, path)


@dataclass(frozen=True)
class ResolvedConfig:
    """A complete config and where each of its values came from."""

    config: RunConfig
    explained: tuple[ExplainedValue, ...]
    """Every effective value, in the order of the config language."""

    def report(self) -> ExplainReport:
        """Return the explanation as a value of the vocabulary."""
        return ExplainReport(values=list(self.explained))

    def explain(self, path: str) -> ExplainedValue | None:
        """Return the value at a dotted path, None when the config has no such value."""
        return next((value for value in self.explained if value.path == path), None)


def resolve(data: Mapping[str, Any], *, source: Path) -> ResolvedConfig:
    """Fill what the user did not write.

    Args:
        data: The document as plain values.
        source: The file it was read from; its name is the run's name when none is written.

    Raises:
        pydantic.ValidationError: The document is not a valid config.
    """
    RunConfig.model_validate(data)
    layers = layers_of(data, source, preset=_preset(data, source))
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = _merge(merged, layer.values)
    config = RunConfig.model_validate(merged)
    explained = tuple(_explain(path, value, layers) for path, value in leaves(config.model_dump(mode="json")))
    return ResolvedConfig(config, explained)


def run_name(source: Path) -> str:
    """Return a valid run name made from a file's name: `Release notes.peft.yaml` gives `Release-notes`."""
    stem = re.sub(r"(\.peft)?\.ya?ml$", "", source.name, flags=re.IGNORECASE)
    return clean_name(stem) or "run"


def clean_name(text: str) -> str:
    """Return a valid run name that is near a text, the empty string when nothing of it can stand in a name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:_NAME_LENGTH].rstrip("-")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is not a mapping or a list of mappings, with its dotted path, in order."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def layers_of(data: Mapping[str, Any], source: Path | None, *, preset: Mapping[str, Any] | None = None) -> list[Layer]:
    """Return what fills a config, the strongest first. A profile or template that does not exist fills nothing.

    Args:
        data: The document as plain values.
        source: Its file; None when it has none.
        preset: The values of the preset that it names, where there is one.
    """
    layers = [Layer("user", None, data)]
    template, profile = data.get("template"), data.get("profile")
    if preset is not None:
        layers.append(Layer("preset", f"From the preset {data.get('preset')}.", preset))
    if template in get_args(TemplateName):
        layers.append(Layer("template", f"From the template {template}.", load_template(template).values))
    if profile in get_args(ProfileName):
        layers.append(Layer("profile", f"From the profile {profile}.", load_profile(profile).values))
    layers = _without_rivals(layers)
    layers += _computed(layers)
    if source is not None:
        reason = f"No name is written, so the run takes the name of its file, {source.name}."
        layers.append(Layer("computed", reason, {"name": run_name(source)}))
    return layers


def _without_rivals(layers: list[Layer]) -> list[Layer]:
    kept: list[Layer] = []
    for layer in layers:
        values = layer.values
        for path, rival in (*_RIVALS, *(pair[::-1] for pair in _RIVALS)):
            section, _, key = path.partition(".")
            if kept and layer.get(path) is not ABSENT and any(above.get(rival) is not ABSENT for above in kept):
                values = {**values, section: {name: value for name, value in values[section].items() if name != key}}
        kept.append(replace(layer, values=values))
    return kept


def _computed(layers: list[Layer]) -> Iterator[Layer]:
    """Yield the values that follow from the method, where its own suit better than the language's defaults."""
    method, rank = _first(layers, "type"), _first(layers, "r")
    if method == "full":
        reason = "Training every weight takes smaller steps than an adapter."
        yield Layer("computed", reason, {"training": {"learning_rate": bounds().learning_rates.full.typical}})
    if method == "rslora" and isinstance(rank, int) and rank > 0:
        reason = "rsLoRA scales by alpha / sqrt(r); this is the strength of a plain LoRA whose alpha is twice its rank."
        yield Layer("computed", reason, {"method": {"alpha": round(2 * math.sqrt(rank), 2)}})


def _first(layers: list[Layer], name: str) -> Any:
    """Return the value of a key of `method` in the strongest layer that has it, else the language's default."""
    found = (layer.get(f"method.{name}") for layer in layers)
    return next((value for value in found if value is not ABSENT), MethodConfig.model_fields[name].default)


def _preset(data: Mapping[str, Any], source: Path) -> Mapping[str, Any] | None:
    name = data.get("preset")
    path = preset_path(name, source.absolute().parent) if isinstance(name, str) else None
    return None if path is None else load_preset(path).values


def _explain(path: str, value: Any, layers: list[Layer]) -> ExplainedValue:
    """Return an effective value with where it comes from.

    Args:
        path: The dotted path.
        value: The effective value.
        layers: What fills the config, the strongest first.
    """
    for layer in layers:
        if layer.get(path) is not ABSENT:
            return ExplainedValue(path=path, value=value, origin=layer.origin, reason=layer.reason)
    return ExplainedValue(path=path, value=value, origin="default", reason="The default of the config language.")


@cache
def _steps(path: str) -> list[str]:
    return re.findall(r"[^.\[\]]+", path)


def _lookup(values: Any, path: str) -> Any:
    for part in _steps(path):
        if isinstance(values, Mapping) and part in values:
            values = values[part]
        elif isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        else:
            return ABSENT
    return values
