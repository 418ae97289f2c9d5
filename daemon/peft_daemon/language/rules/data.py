"""Family `data`, part 1: the files that a config names as data."""

from collections.abc import Iterator

from peft_daemon.language.binding import BoundKey
from peft_daemon.language.context import CheckContext, FileFact
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import nearest, shorten, written
from peft_engine.config.nodes import Alias
from peft_schemas.findings import Finding, Fix

_EXAMPLE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: data/absent.jsonl\n"
_EMPTY = "# This file is empty.\n" + _EXAMPLE.replace("absent", "empty")


@rule(
    "PW601",
    "error",
    "data",
    "A dataset's file does not exist.",
    why="The run would fail as soon as it reads its data.",
    advice="Correct the path; it counts from the folder of the config file.",
    example=_EXAMPLE,
    known=CheckContext(files={"data/absent.jsonl": FileFact("missing")}),
    judges="part",
)
def missing_dataset(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find paths of datasets where no file stands."""
    for bound, written_path, fact in datasets(subject):
        if fact.state == "missing":
            message = f"There is no file `{shorten(written_path, 80)}` beside this config."
            range_, related = value_place(subject.document, bound.entry.value, bound.via)
            yield this.at(message, range_, related=related, fixes=alternatives(subject, bound, written_path, fact))


@rule(
    "PW602",
    "error",
    "data",
    "A dataset's file holds no data.",
    why="The run would fail as soon as it reads its data.",
    advice="Name a csv, json, jsonl, txt or parquet file that has at least one record.",
    example=_EMPTY,
    known=CheckContext(files={"data/empty.jsonl": FileFact("empty")}),
    judges="part",
)
def unusable_dataset(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find paths of datasets that lead to a folder, or to a file that is empty, of another kind or closed to us."""
    said = {
        "folder": "is a folder, not a file",
        "empty": "is empty",
        "unreadable": "cannot be opened",
        "other-kind": "is not a csv, json, jsonl, txt or parquet file",
    }
    for bound, written_path, fact in datasets(subject):
        data = subject.context.datasets.get(written_path)
        is_bare = data is not None and data.records == 0 and data.problem is None
        fault = "holds no record" if is_bare else said.get(fact.state)
        if fault is not None:
            range_, related = value_place(subject.document, bound.entry.value, bound.via)
            yield this.at(f"`{shorten(written_path, 80)}` {fault}.", range_, related=related)


def alternatives(subject: Subject, bound: BoundKey, path: str, fact: FileFact) -> list[Fix]:
    """Return the fix that names the file which was probably meant."""
    meant = nearest(path, list(fact.alternatives))
    if meant is None and len(fact.alternatives) == 1:
        meant = fact.alternatives[0]
    value = bound.entry.value
    if meant is None or bound.via is not None or isinstance(value, Alias):
        return []
    return [replace(f"Change to `{meant}`", subject.document.range(value), written(meant))]


def datasets(subject: Subject) -> list[tuple[BoundKey, str, FileFact]]:
    """Return each dataset's path, as a key and as text, with what is known of it."""
    if datasets not in subject.shared:
        subject.shared[datasets] = list(_find(subject))
    known: list[tuple[BoundKey, str, FileFact]] = subject.shared[datasets]
    return known


def _find(subject: Subject) -> Iterator[tuple[BoundKey, str, FileFact]]:
    for entry in subject.all_entries():
        fact = None if entry.path is None else subject.context.files.get(entry.path)
        bound = None if fact is None else entry.key(subject.binding, "path")
        if fact is not None and bound is not None and entry.path is not None:
            yield bound, entry.path, fact
