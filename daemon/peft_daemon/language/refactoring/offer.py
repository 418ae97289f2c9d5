"""What a refactoring is: a title at once, and the change when somebody wants it."""

from collections.abc import Callable
from dataclasses import dataclass

from peft_daemon.language.check import check_document
from peft_daemon.language.revision import Revision
from peft_schemas.findings import Finding, TextEdit


@dataclass(frozen=True)
class NewFile:
    """A file that a change makes."""

    path: str
    """Relative to the folder of the config."""

    text: str


@dataclass(frozen=True)
class Change:
    """What a refactoring does."""

    edits: list[TextEdit]
    new_file: NewFile | None = None


@dataclass(frozen=True)
class Refactoring:
    """One change that is offered."""

    id: str
    """Names it among those offered at one place: `method.qlora`."""

    title: str
    kind: str
    """LSP's kind with parts of ours: `refactor.rewrite.peft.method`."""

    change: Callable[[], Change]
    """Computes the change. Raises `NotInPlace` where the document is written so that it cannot be made, and `Conflict`
    where it does not go with the rest."""


class Conflict(Exception):
    """A change would bring an error that was not there; the message is the error's own sentence."""


def revising(revision: Revision, revise: Callable[[Revision], Revision]) -> Callable[[], Change]:
    """Return the computation of a change that needs the edits of one document only.

    It raises `Conflict` when what the user wrote elsewhere does not go with the change.
    """

    def change() -> Change:
        after = revise(revision)
        known = {(finding.code, finding.message) for finding in _errors(revision)}
        for finding in _errors(after):
            if (finding.code, finding.message) not in known:
                raise Conflict(finding.message)
        return Change(after.edits_from(revision.document))

    return change


def _errors(revision: Revision) -> list[Finding]:
    findings = check_document(revision.document, revision.context)
    return [finding for finding in findings if finding.severity == "error"]
