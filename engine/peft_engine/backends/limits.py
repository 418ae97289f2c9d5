"""What Unsloth cannot train of a config, known without importing it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from peft_engine.backends.facts import DeviceKind, backend_facts
from peft_schemas.config import RunConfig


class Conflict(NamedTuple):
    """A setting that Unsloth does not have."""

    path: str
    """The dotted path of the key; `compute.device` where it has nothing for the whole device."""

    value: Any
    allowed: list[str | int]
    """What the key may be; empty where nothing helps."""

    @property
    def sentence(self) -> str:
        """What is wrong, with no full stop."""
        if not self.allowed:
            return f"Unsloth does not train on a device of the kind {self.value}"
        return f"Unsloth does not train with `{self.path}: {_written(self.value)}`"

    @property
    def remedy(self) -> str:
        """What to do."""
        if not self.allowed:
            return "Set `compute.backend: transformers`."
        allowed = " or ".join(f"`{_written(value)}`" for value in self.allowed)
        return f"Set `compute.backend: transformers`, or `{self.path}` to {allowed}."


def conflicts(setting: Callable[[str], Any], device: str | None) -> Iterator[Conflict]:
    """Find what Unsloth does not train.

    Args:
        setting: Returns the effective value of a key by its dotted path; None where it is not known.
        device: What trains; None where that is not known.

    Yields:
        Every setting that it does not have.
    """
    facts = backend_facts().unsloth
    if device is not None and device not in facts.by_device:
        yield Conflict("compute.device", device, [])
        return
    on_device = {} if device is None else facts.by_device[device]
    for path, allowed in [*facts.anywhere.items(), *on_device.items()]:
        value = setting(path)
        if value is not None and value not in allowed:
            yield Conflict(path, value, allowed)
    # Its loader packs the scales of 4-bit weights whether that is asked for or not.
    if setting("model.quantization") in ("nf4", "fp4") and setting("model.double_quantization") is False:
        yield Conflict("model.double_quantization", False, [True])
    if setting("method.modules_to_save"):
        yield Conflict("method.modules_to_save", setting("method.modules_to_save"), ["[]"])


def first_conflict(config: RunConfig, device: DeviceKind) -> Conflict | None:
    """Return what keeps Unsloth from training a config on a device, None where nothing does."""

    def setting(path: str) -> Any:
        section, _, key = path.partition(".")
        return getattr(getattr(config, section), key)

    return next(conflicts(setting, device), None)


def _written(value: Any) -> str:
    """Return a value as it stands in a config."""
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
