"""What a refactoring is: a title at once, and the change when somebody wants it."""

from collections.abc import Callable
from dataclasses import dataclass

from peft_daemon.language.revision import Revision
from peft_schemas.findings import TextEdit


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
    """Computes the change. Raises `NotInPlace` where the document is written so that it cannot be made."""


def revising(revision: Revision, revise: Callable[[Revision], Revision]) -> Callable[[], Change]:
    """Return the computation of a change that needs the edits of one document only."""
    return lambda: Change(revise(revision).edits_from(revision.document))
