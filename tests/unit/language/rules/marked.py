"""What the tables of the rules' tests share: texts that mark where a finding belongs."""

from dataclasses import dataclass

from peft_daemon.language.check import check_document
from peft_daemon.language.context import NOTHING_KNOWN, CheckContext
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from peft_schemas.findings import Finding

BASE = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: org/d\n"


def with_model(*lines: str) -> str:
    """The smallest valid config with further lines below `model`."""
    return BASE.replace("base: org/m", "\n  ".join(["base: org/m", *lines]))


def findings(text: str, known: CheckContext = NOTHING_KNOWN) -> list[Finding]:
    return check_document(parse(SourceText(text)), known)


@dataclass(frozen=True)
class Case:
    """A config that has a finding at the characters between « and », or, without them, does not have it."""

    code: str
    what: str
    marked: str
    known: CheckContext = NOTHING_KNOWN
    related: str | None = None
    """A text at which a related range must stand."""

    def __str__(self) -> str:
        return f"{self.code}-{self.what}"

    @property
    def is_fault(self) -> bool:
        return "«" in self.marked

    @property
    def text(self) -> str:
        return self.marked.replace("«", "").replace("»", "")

    def holds(self) -> None:
        source = SourceText(self.text)
        found = [finding for finding in findings(self.text, self.known) if finding.code == self.code]
        if not self.is_fault:
            assert found == []
            return
        start, end = self.marked.index("«"), self.marked.index("»") - 1
        assert [finding.range for finding in found] == [source.range(start, end)]
        if self.related is not None:
            at = self.text.index(self.related)
            assert source.position(at) in [related.range.start for related in found[0].related]
