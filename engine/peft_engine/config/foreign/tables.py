"""What other tools' configs know: a table a tool, read from the data that ships beside the code."""

from functools import cache
from importlib import resources
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from peft_engine.config.schema import walk
from peft_schemas.base import Word
from peft_schemas.findings import Severity

Tool = Literal["axolotl", "llamafactory", "torchtune", "oumi", "trl"]
Reading = Literal["value", "inverted", "positive", "steps", "length", "clip", "count", "name"]
"""How a value becomes ours: see `peft_engine.config.foreign.convert`, which has a function for each."""


class KeyRule(Word):
    """A key with an equivalent here."""

    to: str
    """Our key."""

    read: Reading = "value"
    words: str | None = None
    """The list in `words.yaml` that translates the value."""

    empty: float | None = None
    """What the tool takes an empty value for, where it does not take it for an absent one."""


class Absent(Word):
    """Keys without an equivalent, for one reason."""

    because: str
    """One plain sentence."""

    severity: Severity
    keys: list[str]
    """Keys; what stands below them is meant as well."""

    idle: list[Any] = [None, False, 0, "", "none", "no", [], {}]
    """Values with which a key asks for nothing, so that leaving it out changes nothing."""

    usual: dict[str, Any] = {}
    """Of single keys, the value that a run here has anyway."""


class Training(Word):
    """What tells a tool's config of a training run from its configs of other things."""

    command: str
    """What the tool trains with."""

    keys: list[str]
    """Top-level keys of which a config of a run has one."""

    others: dict[str, list[str]]
    """Other configs, each with top-level keys of which it has one; the first that fits counts."""


class Table(Word):
    """All that is known about one tool's config."""

    title: str
    """The tool's name."""

    loader: Literal["PyYAML", "OmegaConf"]
    """What reads its YAML."""

    converts_text: bool
    """Whether the tool makes a number of a text such as `1e-4` where it needs one."""

    training: Training
    includes: list[str] = []
    """Further tables whose keys the tool knows as well."""

    keys: dict[str, str | KeyRule] = {}
    """The tool's key with `[]` for lists, and our key, or how it becomes ours."""

    together: dict[str, list[str]] = {}
    """Keys that only mean something together, by the step of the translation that reads them."""

    absent: list[Absent] = []
    defaults: dict[str, Any] = {}
    """What the tool does when nothing is written, where that differs from what we do; by our key."""

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        ours = {path for path, key in walk() if key.section is None}
        for path in [*(rule.to for rule in self.rules().values()), *self.defaults]:
            if path not in ours:
                raise ValueError(f"{path} is no key of the config language")
        return self

    def rules(self) -> dict[str, KeyRule]:
        """Return the keys with an equivalent."""
        return {key: rule if isinstance(rule, KeyRule) else KeyRule(to=rule) for key, rule in self.keys.items()}

    def known_paths(self) -> frozenset[str]:
        """Return every key that the tool knows."""
        handled = (key for keys in self.together.values() for key in keys)
        return frozenset([*self.keys, *handled, *(key for group in self.absent for key in group.keys)])


class Part(Word):
    """Keys that several tools share: a table without a tool."""

    keys: dict[str, str | KeyRule] = {}
    absent: list[Absent] = []


class Meaning(Word):
    """What a foreign word means here."""

    value: str
    but: str | None = None
    """How the two differ, when they do."""


class Words(Word):
    """The content of `words.yaml`: lists of foreign words."""

    lists: dict[str, dict[str, str | Meaning]] = Field(min_length=1)
    written: dict[str, dict[str, str]]
    """The word that is written for one of ours, where it is another one."""


@cache
def load_table(tool: Tool) -> Table:
    """Return a tool's table, the tables that it includes merged into it."""
    table = Table.model_validate(_read(tool))
    for name in table.includes:
        part = Part.model_validate(_read(name))
        table = table.model_copy(
            update={"keys": {**part.keys, **table.keys}, "absent": [*table.absent, *part.absent], "includes": []}
        )
    return table


@cache
def load_words(name: str) -> dict[str, Meaning]:
    """Return a list of foreign words and what each means here."""
    words = Words.model_validate(_read("words")).lists[name]
    return {
        word: meaning if isinstance(meaning, Meaning) else Meaning(value=meaning) for word, meaning in words.items()
    }


@cache
def load_written(name: str) -> dict[str, str]:
    """Return the words that are written for ours, from the list of that name."""
    words = Words.model_validate(_read("words"))
    same = {word: word for word, meaning in words.lists[name].items() if meaning == word}
    return {**same, **words.written.get(name, {})}


def _read(name: str) -> Any:
    text = resources.files("peft_profiles").joinpath(f"foreign/{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  (both are safe loaders)
