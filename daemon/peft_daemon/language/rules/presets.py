"""Family `schema`, part 3: the preset that a config names."""

from collections.abc import Iterator
from pathlib import Path

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import nearest, shorten
from peft_schemas.findings import Finding


@rule(
    "PW113",
    "error",
    "schema",
    "There is no preset of that name.",
    why="The values that the preset was to bring are missing, so the run would train with the defaults.",
    advice="Correct the name, or write `presets/NAME.yaml` beside the config.",
    example="# There is a preset careful.\nversion: 1\npreset: carefull\nmodel:\n  base: "
    "gpt2\ndatasets:\n  - path: org/data\n",
    known=CheckContext(folder=Path(), preset_names=("careful",), presets={}),
)
def unknown_preset(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find the name of a preset that is neither beside the config nor in the library."""
    context, preset = subject.context, subject.setting("preset")
    if preset is None or preset.value is None or context.folder is None:
        return
    if preset.value in context.presets or preset.value in context.preset_names:
        return
    meant = nearest(str(preset.value), list(context.preset_names))
    message = f"There is no preset `{shorten(str(preset.value))}`"
    message += (
        f"; did you mean `{meant}`?" if meant is not None else ", neither beside this config nor in your library."
    )
    fixes = [] if meant is None else subject.set("preset", meant, title=f"Change to `{meant}`")
    yield this.about(subject, message, preset, fixes=fixes)


@rule(
    "PW114",
    "error",
    "schema",
    "The preset cannot be used.",
    why="It holds what no config can hold, so nobody can say which values the run would have.",
    advice="Correct the preset's own file, `presets/NAME.yaml`, as the finding says.",
    example="# In presets/careful.yaml stands `batch_siz`.\nversion: 1\npreset: careful\nmodel:\n  base: "
    "gpt2\ndatasets:\n  - path: org/data\n",
    known=CheckContext(
        folder=Path(),
        preset_names=("careful",),
        preset_fault="The preset careful cannot be used. `training.batch_siz` is no key of the config language.",
    ),
)
def unusable_preset(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a preset whose file is broken or holds what the language does not take."""
    fault, preset = subject.context.preset_fault, subject.setting("preset")
    if fault is not None and preset is not None and preset.value is not None:
        yield this.about(subject, fault, preset)
