"""What a key comes to when it is not written: from a preset, template or profile, or by default."""

from dataclasses import dataclass
from typing import Any

from peft_daemon.language.rules.subject import Subject, written_value
from peft_engine.config.nodes import plain
from peft_engine.config.resolve import ABSENT
from peft_engine.config.schema import key_at
from peft_schemas.explain import Origin

_NAMELESS = {"default": "the default", "computed": "computed from the method"}


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
        source = f"from the {self.origin} {self.name}" if self.name is not None else _NAMELESS[self.origin]
        return f"`{written_value(self.value)}`, {source}"


def unwritten(subject: Subject, path: str) -> Unwritten | None:
    """Return what a key comes to when it is left out, None when the language has no such key or requires it."""
    key = key_at(tuple(part.partition("[")[0] for part in path.split(".")))
    if key is None or key.section is not None or key.required:
        return None
    if "[" not in path:
        for layer in subject.layers[1:]:
            value = layer.get(path)
            if value is not ABSENT:
                bound = subject.binding.at((layer.origin,))
                return Unwritten(value, layer.origin, None if bound is None else str(plain(bound.entry.value)))
    return Unwritten(key.default, "default", None)
