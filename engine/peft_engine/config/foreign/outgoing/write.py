"""From a config of ours to another tool's, with a word about everything that cannot be said there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from peft_engine.config.document import Document
from peft_engine.config.foreign.outgoing import axolotl, llamafactory, trl
from peft_engine.config.foreign.outgoing.letter import Letter
from peft_engine.config.foreign.tables import load_table
from peft_engine.config.resolve import ResolvedConfig, resolve
from peft_engine.config.write import HEAD, Comment, to_yaml
from peft_schemas.findings import Finding

Recipient = Literal["axolotl", "llamafactory", "trl"]

_WRITERS: dict[Recipient, Callable[[Letter], None]] = {
    "axolotl": axolotl.write,
    "llamafactory": llamafactory.write,
    "trl": trl.write,
}
_OF_AN_ADAPTER = ("r", "alpha", "dropout", "target_modules", "modules_to_save", "lora_plus_ratio")


@dataclass(frozen=True)
class Exported:
    """The outcome of an export."""

    config: str
    findings: list[Finding]
    """In the order of our file, whose places they name."""


def export_config(tool: Recipient, document: Document, resolved: ResolvedConfig) -> Exported:
    """Write a config as another tool's file.

    Args:
        tool: The tool that is to read it.
        document: The config as it is written, for the places of findings.
        resolved: The same with all its effective values, which are what is said.
    """
    letter = Letter(load_table(tool), document, resolved)
    _WRITERS[tool](letter)
    idle = _idle(letter)
    letter.put_plain(skip=idle)
    letter.finish(skip=idle)
    comments = {HEAD: Comment(above=tuple(f"# {line}" for line in letter.notes))}
    return Exported(to_yaml(letter.values, comments), letter.findings)


def complete(document: Document, file: Path) -> ResolvedConfig | None:
    """Return all that a config says for an export, None when the config is none.

    What this machine has or can train does not matter.

    Args:
        document: The config as it is written.
        file: Its place, which presets and relative paths count from.
    """
    if not document.is_sound:
        return None
    try:
        return resolve(document.to_plain(), source=file)
    except ValidationError:
        return None


def _idle(letter: Letter) -> tuple[str, ...]:
    """Return the beginnings of our keys that have no effect in this config."""
    config = letter.config
    idle = []
    if config.method.type == "full":
        idle += [f"method.{name}" for name in _OF_AN_ADAPTER]
    if not config.evaluation.split and not config.evaluation.datasets:
        idle += ["evaluation.", "training.early_stopping_patience", "checkpoint.load_best"]
    if config.model.quantization not in ("nf4", "fp4"):
        idle.append("model.double_quantization")
    return tuple(idle)
