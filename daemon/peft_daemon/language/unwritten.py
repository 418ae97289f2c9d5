"""What a key comes to when it is not written: from a preset, template or profile, or by default."""

from dataclasses import dataclass
from typing import Any

from peft_daemon.language.rules.subject import Subject, written_value
from peft_engine.config.nodes import plain
from peft_engine.config.resolve import ABSENT, layers_of
from peft_engine.config.schema import key_at
from peft_schemas.explain import Origin


@dataclass(frozen=True)
class Unwritten:
    """A value and where it comes from."""

    value: Any
    origin: Origin
    name: str | None
    """The profile, template or preset that brings it."""

    def __str__(self) -> str:
        """Say it: `16, from the profile chatbot`."""
        if self.value is None:
            return "nothing"
        source = "the default" if self.name is None else f"from the {self.origin} {self.name}"
        return f"`{written_value(self.value)}`, {source}"


def unwritten(subject: Subject, path: str) -> Unwritten | None:
    """Return what a key comes to when it is left out, None when the language has no such key or requires it."""
    key = key_at(tuple(part.partition("[")[0] for part in path.split(".")))
    if key is None or key.section is not None or key.required:
        return None
    if "[" not in path:
        names = {name: _plain(subject, name) for name in ("preset", "template", "profile")}
        for layer in layers_of(names, None, preset=subject.context.presets.get(str(names["preset"])))[1:]:
            value = layer.get(path)
            if value is not ABSENT:
                return Unwritten(value, layer.origin, str(names[layer.origin]))
    return Unwritten(key.default, "default", None)


def _plain(subject: Subject, name: str) -> Any:
    bound = subject.binding.at((name,))
    return None if bound is None else plain(bound.entry.value)
