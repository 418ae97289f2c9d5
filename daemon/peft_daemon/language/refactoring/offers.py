"""Which refactorings are offered where."""

from collections.abc import Iterator

from peft_daemon.language.refactoring.batch import trades
from peft_daemon.language.refactoring.extract import extractions
from peft_daemon.language.refactoring.layers import NAMES, applications, write_out
from peft_daemon.language.refactoring.method import switches
from peft_daemon.language.refactoring.offer import Refactoring
from peft_daemon.language.refactoring.warmup import conversions
from peft_daemon.language.revision import Revision
from peft_engine.config.document import Path
from peft_engine.config.nodes import Mapping, target


def offered(revision: Revision, line: int) -> Iterator[Refactoring]:
    """Yield the refactorings for a line of a document, none while a part of it cannot be read."""
    if not revision.document.is_sound or not isinstance(target(revision.document.root), Mapping):
        return
    path = _path_at(revision, line)
    match path[0] if path else None:
        case "method":
            yield from switches(revision)
        case "training":
            yield from trades(revision)
            yield from conversions(revision)
        case "profile" | "preset" | "template" as kind:
            yield from write_out(revision, kind)
            yield from (offer for offer in applications(revision) if offer.id.startswith(f"apply.{kind}."))
        case "version" | "name" | None:
            written = revision.subject.binding
            used = [name for name in NAMES if written.at((name,)) is not None]
            yield from (offer for offer in applications(revision) if offer.id.split(".")[1] not in used)
    yield from extractions(revision, str(path[0]) if path else None)


def _path_at(revision: Revision, line: int) -> Path:
    """Return the path of the innermost key whose lines hold a line."""
    source = revision.document.source
    path: Path = ()
    for bound in revision.subject.binding.known:
        entry = bound.entry
        inside = bound.via is None and source.line_of(entry.start) <= line <= source.line_of(entry.end)
        if inside and len(bound.path) > len(path):
            path = bound.path
    return path
