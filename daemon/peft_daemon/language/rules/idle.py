"""Keys that mean nothing beside others: no value of theirs would change the run."""

from typing import Any

from peft_daemon.language.rules.cadence import HOW_TO_EVALUATE, evaluates
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.nodes import plain

_NOBODY_KNOWS = object()


def is_idle(subject: Subject, path: str) -> bool:
    """Tell whether any value of a key would be without effect, beside the other keys of its section."""
    if path in HOW_TO_EVALUATE:
        return evaluates(subject) is False
    match path:
        case "schedule.at_close":
            return _value(subject, "schedule.window") is None
        case "training.num_epochs":
            return _value(subject, "training.max_steps") not in (None, _NOBODY_KNOWS)
        case "model.double_quantization":
            return _value(subject, "model.quantization") not in ("nf4", "fp4", _NOBODY_KNOWS)
        case _:
            return path.startswith("method.") and path != "method.type" and _value(subject, "method.type") == "full"


def _value(subject: Subject, path: str) -> Any:
    """Return what is written, though it be faulty, or else what a run would use."""
    bound = subject.binding.at(tuple(path.split(".")))
    if bound is not None:
        return plain(bound.entry.value)
    setting = subject.setting(path)
    return _NOBODY_KNOWS if setting is None else setting.value
