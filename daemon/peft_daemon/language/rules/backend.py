"""Family `support`, part 2: what the chosen training backend does not have."""

from collections.abc import Iterator
from typing import Any

from peft_daemon.language.rules.hardware import device_of
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_engine.backends.limits import conflicts
from peft_schemas.findings import Finding

_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"


@rule(
    "PW905",
    "error",
    "support",
    "Unsloth is asked for, and does not train what the config asks for beside it.",
    why="Unsloth does not refuse what it does not have: it trains something else and prints a line about it. So "
    "the run is refused at its start.",
    advice="Leave `backend` at `auto`, which takes Unsloth only where it can do all that is asked, or "
    "change the other key.",
    example=_BASE + "method:\n  type: dora\ncompute:\n  backend: unsloth\n",
    source="unsloth_zoo 2026.10.9, cpu/loader.py and cpu/trainer.py",
)
def unsloth_has_it_not(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find keys beside `backend: unsloth` that have values which Unsloth does not train with."""
    backend = subject.setting("compute.backend")
    if backend is None or backend.value != "unsloth":
        return

    def value(path: str) -> Any:
        setting = subject.setting(path)
        return None if setting is None else setting.value

    for conflict in conflicts(value, device_of(subject)):
        cause = subject.setting(conflict.path)
        causes = [backend, *([cause] if cause is not None and cause.is_written else [])]
        fixes = subject.set("compute.backend", "auto")
        yield this.about(subject, f"{conflict.sentence}.", *causes, fixes=fixes)
