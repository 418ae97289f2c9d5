"""A foreign config in the making: what is said so far, and what cannot be said."""

import re
from typing import Any

from peft_engine.config.document import Document
from peft_engine.config.foreign.tables import Table, load_written
from peft_engine.config.resolve import ResolvedConfig
from peft_engine.config.schema import key_at
from peft_schemas.findings import Finding

NOT_SAID = "EX01"
SAID_OTHERWISE = "EX02"

_OURS_ALONE = frozenset({"version", "profile", "preset", "template", "compute.provider"})
"""Keys that need no equivalent: their effect is in the values that are written."""


class Letter:
    """Collects the keys of a foreign file from the effective values of a config of ours."""

    def __init__(self, table: Table, document: Document, resolved: ResolvedConfig) -> None:
        self.table = table
        self.config = resolved.config
        self.values: dict[str, Any] = {}
        """Of the foreign file, nested where the tool nests."""

        self.notes: list[str] = []
        """Lines that stand above everything, without their `#`."""

        self.findings: list[Finding] = []
        self._document = document
        self._effective = {explained.path: explained.value for explained in resolved.explained}
        self._said: set[str] = set()

    def of(self, path: str) -> Any:
        """Return one of our effective values."""
        return self._effective.get(path)

    def put(self, key: str, value: Any, *ours: str) -> None:
        """Write a foreign key, made of some of our values."""
        place = self.values
        *above, last = key.split(".")
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
        self._said.update(ours)

    def settle(self, *ours: str) -> None:
        """Note that values of ours need no key there."""
        self._said.update(ours)

    def cannot(self, path: str, because: str) -> None:
        """Say at one of our values that the tool has no such thing."""
        self._report(NOT_SAID, path, f"`{path}` cannot be said. {because}")

    def differs(self, path: str, message: str) -> None:
        """Say at one of our values that it is not quite the same there."""
        self._report(SAID_OTHERWISE, path, message)

    def put_plain(self, *, skip: tuple[str, ...]) -> None:
        """Write every value that has a key of its own there.

        Args:
            skip: Beginnings of our keys that have no effect in this config.
        """
        for key, rule in self.table.rules().items():
            value = self.of(rule.to)
            if rule.to in self._said or rule.to.startswith(skip) or value is None or value == []:
                continue
            if rule.words is not None:
                word = load_written(rule.words).get(str(value))
                if word is None:
                    continue
                value = word
            self.put(key, not value if rule.read == "inverted" else value, rule.to)

    def finish(self, *, skip: tuple[str, ...]) -> None:
        """Report every value that is neither said nor what happens anyway."""
        for path, value in self._effective.items():
            key = key_at(tuple(re.sub(r"\[\d+\]", "", path).split(".")))
            usual = None if key is None else key.default
            if path in self._said or path in _OURS_ALONE or value in (None, [], usual) or path.startswith(skip):
                continue
            self.cannot(path, f"{self.table.title} has no such setting.")
        self.findings.sort(key=lambda finding: (finding.range.start.line, finding.range.start.character))

    def _report(self, code: str, path: str, message: str) -> None:
        self._said.add(path)
        place = self._document.find(tuple(_parts(path)))
        layers = (self._document.find((name,)) for name in ("preset", "template", "profile"))
        place = place or next((found for found in layers if found is not None), None)
        node = None if place is None else (place.key or place.value)
        source = self._document.source
        at = source.range(0, source.line_end(0)) if node is None else self._document.range(node)
        self.findings.append(Finding(code=code, severity="warning", message=message, range=at))


def _parts(path: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
