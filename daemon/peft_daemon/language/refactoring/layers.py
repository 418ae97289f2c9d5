"""Taking up a profile, template or preset, and writing out what one brings."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from peft_daemon.language.refactoring.offer import Refactoring, revising
from peft_daemon.language.revision import Revision
from peft_engine.config.resolve import layers_of
from peft_engine.config.schema import key_at
from peft_engine.profiles import load_profile, load_template
from peft_schemas.config import ProfileName, TemplateName

NAMES = ("profile", "preset", "template")
"""The keys that bring values, as a user reads them."""


def applications(revision: Revision) -> Iterator[Refactoring]:
    """Yield the use of every profile, template and preset that is not in use."""
    choices: list[tuple[str, str, str]] = [
        *(("profile", name, load_profile(name).title) for name in get_args(ProfileName)),
        *(("template", name, load_template(name).title) for name in get_args(TemplateName)),
        *(("preset", name, name) for name in revision.context.preset_names),
    ]
    for kind, name, title in choices:
        setting = revision.subject.setting(kind)
        if setting is None or setting.value == name:
            continue
        yield Refactoring(
            f"apply.{kind}.{name}",
            f"Use the {kind} {name}" + (f" ({title.lower()})" if title != name else ""),
            f"refactor.rewrite.peft.{kind}",
            revising(revision, _set(kind, name)),
        )


def write_out(revision: Revision, kind: str) -> Iterator[Refactoring]:
    """Yield the replacement of a profile, template or preset by the values that it brings."""
    setting = revision.subject.setting(kind)
    if setting is None or not isinstance(setting.value, str):
        return
    values = _brought(revision, kind)
    if values is None:
        return
    title = f"Write out the {len(values)} values of the {kind} {setting.value}"
    yield Refactoring(f"inline.{kind}", title, f"refactor.inline.peft.{kind}", revising(revision, _write(kind, values)))


def _brought(revision: Revision, kind: str) -> dict[str, Any] | None:
    """Return the values that are in effect because of a layer, None when they are not all known."""
    root = revision.document.to_plain()
    if not isinstance(root, dict):
        return None
    layers = layers_of(root, None, preset=revision.context.presets.get(str(root.get("preset"))))
    layer = next((layer for layer in layers if layer.origin == kind), None)
    if layer is None:
        return None
    brought = {}
    for path, value in _leaves(layer.values):
        key = key_at(tuple(path.split(".")))
        setting = None if key is None or key.section is not None else revision.subject.setting(path)
        if setting is None:
            return None
        if setting.origin == kind:
            brought[path] = value
    return brought


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for section, keys in values.items():
        for key, value in keys.items():
            yield f"{section}.{key}", value


def _set(kind: str, name: str) -> Callable[[Revision], Revision]:
    return lambda revision: revision.with_value(kind, name)


def _write(kind: str, values: Mapping[str, Any]) -> Callable[[Revision], Revision]:
    def revise(revision: Revision) -> Revision:
        # The key goes first: a value is written only where it would not be in effect without it.
        revision = revision.without(kind)
        for path, value in values.items():
            revision = revision.with_value(path, value)
        return revision

    return revise
