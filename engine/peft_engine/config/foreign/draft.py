"""A translation in the making: values set so far, what became of each foreign value, and what there is to say."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from peft_engine.config.foreign.source import Leaf, Source
from peft_engine.config.foreign.tables import Table
from peft_engine.config.schema import key_at
from peft_schemas.findings import Finding, Severity

TEXT_FAULT = "IM01"
ABSENT = "IM02"
UNKNOWN = "IM03"
CHANGED = "IM04"
CONTRADICTION = "IM05"
UNUSABLE = "IM06"
DOUBTFUL = "IM07"
TO_FILL_IN = "IM08"
IDLE = "IM09"


@dataclass(frozen=True)
class Setting:
    """A value of the new config."""

    value: Any
    leaves: tuple[Leaf, ...]
    """The foreign values that it was made of; none for a default."""

    note: str | None = None
    """What is said beside it."""


class Draft:
    """What the steps of a translation write to."""

    def __init__(self, table: Table, source: Source, folder: Path | None = None) -> None:
        self.table = table
        self.source = source
        self.folder = folder
        self.settings: dict[str, Setting] = {}
        """By our path, `datasets[0].path`."""

        self.record: dict[str, tuple[str, ...]] = {}
        """By foreign path, the keys here that it went into; none for a value that asks for what is so anyway."""

        self.findings: list[Finding] = []
        self._reported: set[str] = set()

    def get(self, path: str) -> Leaf | None:
        """Return the leaf at a foreign path."""
        return self.source.leaves.get(path)

    def value(self, path: str, default: Any = None) -> Any:
        """Return a foreign value, the default where it is absent or empty."""
        leaf = self.get(path)
        return default if leaf is None or leaf.value is None else leaf.value

    def first(self, *paths: str) -> Leaf | None:
        """Return the first of several leaves that says something."""
        leaves = (self.get(path) for path in paths)
        return next((leaf for leaf in leaves if leaf is not None and leaf.value is not None), None)

    def put(self, path: str, value: Any, *leaves: Leaf | None, note: str | None = None) -> None:
        """Set one of our values, and record which foreign values it was made of."""
        given = tuple(leaf for leaf in leaves if leaf is not None)
        self.settings[path] = Setting(value, given, note)
        for leaf in given:
            self.record[leaf.path] = (*self.record.get(leaf.path, ()), path)

    def default(self, path: str, value: Any) -> None:
        """Set what the tool does by itself, unless something is set there or it is what happens here as well."""
        key = key_at(tuple(part.partition("[")[0] for part in path.split(".")))
        if path not in self.settings and (key is None or key.default != value):
            self.settings[path] = Setting(value, (), f"{self.table.title}'s default")

    def set_value(self, path: str) -> Any:
        """Return what a run would use at one of our paths, as far as it is settled."""
        if path in self.settings:
            return self.settings[path].value
        key = key_at(tuple(path.split(".")))
        return self.table.defaults.get(path, None if key is None else key.default)

    def unset(self, path: str) -> Setting | None:
        """Take one of our values back."""
        setting = self.settings.pop(path, None)
        for leaf in () if setting is None else setting.leaves:
            self.record[leaf.path] = tuple(target for target in self.record.get(leaf.path, ()) if target != path)
        return setting

    def confirm(self, *leaves: Leaf | None) -> None:
        """Record values that ask for what is so anyway."""
        for leaf in leaves:
            if leaf is not None:
                self.record.setdefault(leaf.path, ())

    def confirm_below(self, path: str, names: Iterable[str]) -> None:
        """Record several keys of a section that ask for what is so anyway."""
        for name in names:
            self.confirm(self.get(f"{path}.{name}"))

    def report(
        self, code: str, severity: Severity, message: str, leaf: Leaf | None, part: Literal["key", "value"] = "value"
    ) -> None:
        """Say something about a foreign value, at its key or at itself; without one, about the whole file."""
        document = self.source.document
        if leaf is None:
            place = document.source.range(0, document.source.line_end(0))
        else:
            self._reported.add(leaf.path)
            written = leaf.node.end > leaf.node.start
            node = leaf.node if (part == "value" and written) or leaf.key is None else leaf.key
            place = document.source.range(node.start, node.end)
        self.findings.append(Finding(code=code, severity=severity, message=message, range=place))

    def leave_out(self, leaf: Leaf | None, because: str, severity: Severity = "warning") -> None:
        """Say that a foreign value has no equivalent."""
        if leaf is not None:
            self.report(ABSENT, severity, f"`{leaf.name}` is left out. {because}", leaf, "key")

    def change(self, leaf: Leaf | None, message: str, severity: Severity = "information") -> None:
        """Say that a value here is not quite the foreign one."""
        self.report(CHANGED, severity, message, leaf)

    def is_accounted_for(self, leaf: Leaf) -> bool:
        """Tell whether something became of a foreign value."""
        return leaf.path in self.record or leaf.path in self._reported


Step = Callable[[Draft], None]
"""Reads keys that only mean something together."""
